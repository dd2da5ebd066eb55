"""Asked twice, asked never, charged for nothing: what went wrong elsewhere between queue and
carrier. docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import transaction

from bulksms import send_bulk, send_sms, states
from bulksms.carriers.base import OutboundSms, Prepared
from bulksms.models import Message, Report, Submission
from bulksms.services import claiming, dispatch, reconcile, reports, wallet
from bulksms.services.claiming import Claim
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.failures.world import PRICE, ask, begun, check, send, states_of
from tests.harness import FakeCarrier, WithoutQuery, fake_carrier

pytestmark = pytest.mark.django_db


def test_a_timeout_after_accept_is_unknown_and_keeps_its_hold() -> None:
    rules = [{"lose_answer": {"how": "silence"}, "report": False}]
    with fake_carrier(rules=rules, carrier=WithoutQuery) as house:
        campaign = send(3)

        for _ in range(24):
            house.run(hours=1)

        check(house)
        assert states_of(campaign) == {states.UNKNOWN: 3}
        assert house.total_accepted == 3
        assert wallet.held_micros(wallet.of(campaign.organisation)) == 3 * PRICE
        assert wallet.of(campaign.organisation).available_micros == 0


@pytest.mark.slow
def test_a_carrier_that_throttles_a_full_window_gets_no_message_twice() -> None:
    rules = [{"throttle": {"parts_per_second": 25, "burst": 25, "per": "message"}}]
    with fake_carrier(rules=rules, max_batch=10, window=10) as house:
        campaign = send(100)

        for _ in range(12):  # longer apart than any backoff
            open_ = open_requests(house)
            answers = [ask(house, prepared) for _, prepared, _ in open_]
            for (claimed, prepared, asked_at), results in zip(open_, answers, strict=True):
                dispatch.record(claimed, prepared, results, asked_at)
            virtual_clock.advance(seconds=80)
            tick()
        house.run()

        check(house)
        assert max(Message.objects.values_list("asks", flat=True)) > 1, "nothing was throttled"
        assert (states_of(campaign), house.total_accepted) == ({states.DELIVERED: 100}, 100)


def open_requests(house: FakeCarrier) -> list[tuple[Claim, Prepared, dt.datetime]]:
    """As many requests at once as the carrier's window and pace allow."""
    found = []
    while (claimed := claiming.claim(house.carrier)) is not None:
        asked_at = dispatch.begin(claimed)
        assert asked_at is not None
        found.append((claimed, house.carrier.prepare(claimed.batch), asked_at))
    return found


def test_an_answer_that_came_in_time_counts_however_late_it_is_written_down(
    carrier: FakeCarrier,
) -> None:
    campaign = send(3)
    claimed, prepared, asked_at = begun(carrier)
    results = ask(carrier, prepared)

    virtual_clock.advance(hours=5)
    tick()
    dispatch.record(claimed, prepared, results, asked_at)
    carrier.run()

    check(carrier)
    assert states_of(campaign) == {states.DELIVERED: 3}
    assert carrier.transport.requests == 1


def test_a_request_cut_off_in_the_middle_ends_with_the_truth_of_each_row() -> None:
    rules = [{"match": {"nth": 1}, "drop_after": {"accepted": 2, "how": "reset"}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(5)

        drain()
        assert states_of(campaign) == {states.UNKNOWN: 5}
        for _ in range(16):
            house.run(seconds=30)

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 5}
        asks = Counter(Message.objects.values_list("asks", flat=True))
        assert asks == {1: 2, 2: 3}, "the two that it took are not asked for again"


def test_a_message_is_asked_for_by_the_outbox_and_by_nobody_else(carrier: FakeCarrier) -> None:
    message = send_sms("0712345678", "A test", organisation=make_organisation())
    before = carrier.transport.requests

    carrier.run()

    assert (before, carrier.transport.requests) == (0, 1)
    assert carrier.accepted(message.id) == 1
    assert Message.objects.count() == 1


def test_a_number_that_is_in_two_lists_gets_one_message(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    customers, debtors = ["0712345678", "0723456789"], ["+254 712 345 678", "254734567890"]

    result = send_bulk(recipients=customers + debtors, message="Hi", organisation=organisation)
    carrier.run()

    assert (result.queued, result.duplicates) == (3, 1)
    assert Counter(r.to for r in carrier.transport.engine.oracle.records()) == Counter(
        ["254712345678", "254723456789", "254734567890"]
    )


class OneCannotBeEncoded(WithoutQuery):
    """Cannot write the message to one number."""

    poison = "254712000037"

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        poisoned = {sms.reference: "no such letter" for sms in batch if sms.to == self.poison}
        good = super().prepare([sms for sms in batch if sms.reference not in poisoned])
        return Prepared(good.request, good.references, poisoned)


def test_one_message_that_cannot_be_encoded_fails_alone_and_99_are_sent_once() -> None:
    with fake_carrier(carrier=OneCannotBeEncoded) as house:
        campaign = send(100)

        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 99, states.FAILED: 1}
        assert Message.objects.get(status=states.FAILED).error == "cannot_be_encoded"
        assert house.total_accepted == 99


def test_one_message_that_the_carrier_refuses_fails_alone_and_99_are_sent_once() -> None:
    rules = [{"match": {"number": "254712000037"}, "refuse": "content_rejected"}]
    with fake_carrier(rules=rules) as house:
        campaign = send(100)

        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 99, states.FAILED: 1}
        assert house.transport.requests == 1


def test_one_message_that_spoils_the_whole_request_does_not_take_99_with_it() -> None:
    rules = [
        {
            "match": {"number": "254712000037"},
            "answer": {"code": "invalid_request", "status": 400},
        }
    ]
    with fake_carrier(rules=rules) as house:
        campaign = send(100)

        for _ in range(20):
            house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 99, states.FAILED: 1}


def test_a_message_that_the_carrier_does_not_understand_fails_at_once_and_for_good() -> None:
    with fake_carrier(rules=[{"answer": {"code": "invalid_request", "status": 400}}]) as house:
        campaign = send(3)

        drain()
        assert states_of(campaign) == {states.FAILED: 3}
        # All together, then each alone, in case one of them had spoilt it for the others.
        assert house.transport.requests == 4
        for _ in range(24):
            house.run(hours=1)

        check(house)
        assert house.transport.requests == 4
        assert wallet.of(campaign.organisation).available_micros == 3 * PRICE


def test_a_carrier_that_is_away_for_12_minutes_is_asked_ever_more_rarely(
    carrier: FakeCarrier, caplog: pytest.LogCaptureFixture
) -> None:
    carrier.transport.down = True
    campaign = send(10)

    end = virtual_clock.now() + dt.timedelta(minutes=12)
    with caplog.at_level(logging.INFO, "bulksms"):
        drain()
        for _ in range(25):  # from event to event
            due = reconcile.next_due_at(virtual_clock.now())
            assert due is not None, "nobody would ever try again"
            if due > end:
                break
            virtual_clock.advance(seconds=(due - virtual_clock.now()).total_seconds())
            drain()

    assert len(caplog.records) < 20
    assert states_of(campaign) == {states.QUEUED: 10}


@pytest.mark.slow
def test_a_rate_is_counted_in_parts_as_the_carrier_counts_it() -> None:
    """Messages of three parts at 12 parts a second: the carrier's own meter refuses none."""
    rules = [{"throttle": {"parts_per_second": 12, "burst": 12}}]
    with fake_carrier(rules=rules, parts_per_second=12, max_batch=10) as house:
        campaign = send(90, message="a" * 400, recipients=kenyan_numbers(30))

        seconds = 0
        while Message.objects.filter(status=states.QUEUED).exists() and seconds < 60:
            tick()
            drain()
            virtual_clock.advance(seconds=1)
            seconds += 1
        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 30}
        assert set(Message.objects.values_list("asks", flat=True)) == {1}
        assert seconds >= 7, "90 parts at 12 a second take longer"


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_report_while_the_sender_still_writes_is_stored_at_once_and_undoes_nothing(
    in_background: Callable[[Callable[[], Any]], Any],
) -> None:
    rules = [{"report": {"state": "delivered", "before_answer": False, "delay_s": 0}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(3)
        claimed, prepared, asked_at = begun(house)
        results = ask(house, prepared)
        with transaction.atomic():
            dispatch.record(claimed, prepared, results, asked_at)
            in_background(house.transport.pump).join(10)
            applying = in_background(lambda: reports.apply_once())
            assert Report.objects.count() == 3, "the carrier waits for our transaction"
        applying.join(10)
        for _ in range(3):
            house.run()

        check(house)
        assert Submission.objects.get().status == states.RECORDED
        assert states_of(campaign) == {states.DELIVERED: 3}
