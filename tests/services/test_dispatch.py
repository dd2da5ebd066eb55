"""The road of a message: asked once, recorded, reported, settled; and every way it can go wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import send_bulk, states
from bulksms.models import Campaign, CarrierState, Hold, LedgerEntry, Message, Report, Submission
from bulksms.models.wallet import HELD, SPENT
from bulksms.services import audit, dispatch, reconcile, reports, wallet
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, WithoutQuery, fake_carrier

pytestmark = pytest.mark.django_db

PRICE = 1_000_000


def send(count: int = 10, **options: Any) -> Campaign:
    organisation = make_organisation(balance_micros=count * PRICE, price_micros=PRICE, **options)
    result = send_bulk(
        recipients=kenyan_numbers(count), message="Hi there", organisation=organisation
    )
    return result.campaign


def states_of(campaign: Campaign) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status in Message.objects.filter(campaign=campaign).values_list("status", flat=True):
        counts[status] = counts.get(status, 0) + 1
    return counts


def check(campaign: Campaign, house: FakeCarrier) -> Campaign:
    """What must hold whatever happened: the audit is silent and nothing was accepted twice."""
    assert list(audit.faults()) == []
    assert house.duplicates == (0, 0)
    return Campaign.objects.get(pk=campaign.pk)


def test_a_campaign_is_sent_delivered_paid_and_completed(carrier: FakeCarrier) -> None:
    campaign = send(10)

    carrier.run()

    campaign = check(campaign, carrier)
    assert states_of(campaign) == {states.DELIVERED: 10}
    assert (campaign.status, campaign.sent_count, campaign.delivered_count) == ("completed", 10, 10)
    hold = Hold.objects.get(campaign=campaign)
    assert (hold.captured_micros, hold.closed_at is not None) == (10 * PRICE, True)
    assert carrier.total_accepted == 10


def test_the_carrier_is_asked_in_requests_of_its_own_size() -> None:
    with fake_carrier(max_batch=4) as house:
        campaign = send(10)

        drain()

        assert house.transport.requests == 3
        assert sorted(len(s.message_ids) for s in Submission.objects.all()) == [2, 4, 4]
        assert states_of(campaign) == {states.SENT: 10}


def test_a_refusal_for_good_fails_the_message_and_releases_its_money() -> None:
    with fake_carrier(rules=[{"match": {"number": "254712000003"}, "refuse": "blocked"}]) as house:
        campaign = send(5)

        house.run()

        campaign = check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 4, states.FAILED: 1}
        failed = Message.objects.get(status=states.FAILED)
        assert (failed.error, failed.charge) == ("blocked", states.RELEASED)
        assert wallet.of(campaign.organisation).available_micros == PRICE


def test_a_temporary_refusal_is_proof_and_the_message_is_asked_again_later() -> None:
    rules = [
        {"match": {"number": "254712000000"}, "refuse": {"code": "temporary_failure", "tries": 1}}
    ]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        drain()
        assert states_of(campaign) == {states.QUEUED: 1, states.SENT: 1}
        virtual_clock.advance(seconds=60)
        house.run()

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 2}
        assert Message.objects.get(number="254712000000").asks == 2


@pytest.mark.parametrize("how", ["reset", "silence", "close"])
def test_a_lost_answer_makes_the_messages_unknown_and_their_reports_end_it(how: str) -> None:
    with fake_carrier(rules=[{"lose_answer": {"how": how}}]) as house:
        campaign = send(3)

        drain()
        assert states_of(campaign) == {states.UNKNOWN: 3}
        assert wallet.held_micros(wallet.of(campaign.organisation)) == 3 * PRICE
        house.run()

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 3}
        assert house.total_accepted == 3


def test_a_lost_request_is_never_sent_again_and_ends_unconfirmed_at_the_deadline() -> None:
    with fake_carrier(rules=[{"lose_request": {"how": "reset"}}], carrier=WithoutQuery) as house:
        campaign = send(3)

        drain()
        for _ in range(4):
            house.run(hours=20)

        campaign = check(campaign, house)
        assert states_of(campaign) == {states.UNCONFIRMED: 3}
        assert house.total_accepted == 0
        assert campaign.sent_count == 0
        assert {m.error for m in Message.objects.all()} == {"no_answer"}


def test_an_unknown_message_at_the_deadline_is_released_where_the_host_says_so(
    settings: Any,
) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "UNKNOWN_AT_DEADLINE": "release"}
    with fake_carrier(rules=[{"lose_request": {"how": "reset"}}], carrier=WithoutQuery) as house:
        campaign = send(3)

        drain()
        for _ in range(4):
            house.run(hours=20)

        check(campaign, house)
        assert wallet.of(campaign.organisation).available_micros == 3 * PRICE


def test_a_carrier_that_is_not_there_costs_nothing_and_gets_everything_later(
    carrier: FakeCarrier,
) -> None:
    carrier.transport.down = True
    campaign = send(3)

    drain()
    assert states_of(campaign) == {states.QUEUED: 3}
    carrier.transport.down = False
    virtual_clock.advance(seconds=5)
    carrier.run()

    check(campaign, carrier)
    assert states_of(campaign) == {states.DELIVERED: 3}


def test_a_carrier_without_credit_stops_and_no_message_fails_for_it() -> None:
    with fake_carrier(rules=[{"refuse": "out_of_credit"}]) as house:
        campaign = send(3)

        drain()

        assert states_of(check(campaign, house)) == {states.QUEUED: 3}
        state = CarrierState.objects.get(carrier="main")
        assert state.paused_at is not None
        assert state.pause_reason.startswith("out_of_credit")


def test_a_report_that_comes_before_the_answer_is_kept_and_applied() -> None:
    rules = [{"report": {"state": "delivered", "before_answer": True}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(3)

        house.run()

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 3}


def test_a_report_taken_up_before_the_recording_is_handed_over_by_it() -> None:
    rules = [{"report": {"state": "delivered", "before_answer": True}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(3)
        claimed = dispatch.claim(house.carrier)
        assert claimed is not None
        prepared = house.carrier.prepare(claimed.batch)
        asked_at = dispatch.begin(claimed)
        assert asked_at is not None
        results = dispatch.submit(house.carrier, prepared, time.monotonic() + 10)

        assert reports.apply_once() == 3
        assert set(Report.objects.values_list("status", flat=True)) == {states.PARKED}
        dispatch.record(claimed, prepared, results, asked_at)
        assert reports.apply_once() == 3

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 3}


def test_repeated_reports_are_stored_once_and_change_nothing() -> None:
    rules = [{"report": {"state": "delivered", "copies": 3, "gap_s": 1}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        for _ in range(3):
            house.run()

        check(campaign, house)
        assert Report.objects.count() == 2
        assert states_of(campaign) == {states.DELIVERED: 2}


def test_reports_out_of_order_never_take_a_final_state_back() -> None:
    rules = [
        {"report": [{"state": "delivered", "delay_s": 1}, {"state": "undelivered", "delay_s": 30}]}
    ]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        for _ in range(4):
            house.run(seconds=20)

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 2}
        assert Report.objects.filter(status=states.IGNORED).count() == 2


def test_missing_reports_end_unconfirmed_and_a_late_one_still_corrects_it() -> None:
    rules = [{"report": {"state": "delivered", "delay_s": 80 * 3600}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        house.run(hours=73)
        assert states_of(campaign) == {states.UNCONFIRMED: 2}
        assert check(campaign, house).status == states.COMPLETED
        house.run(hours=20)

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 2}


def test_a_row_missing_in_the_answer_is_unknown_and_an_extra_one_is_ignored() -> None:
    rules = [{"rows": {"missing": 1, "extra": 1, "shuffled": True}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(5)

        drain()
        assert states_of(campaign) == {states.SENT: 4, states.UNKNOWN: 1}
        house.run()

        check(campaign, house)
        assert states_of(campaign) == {states.DELIVERED: 5}


def test_queued_messages_expire_unsent_and_their_money_comes_back(carrier: FakeCarrier) -> None:
    carrier.transport.down = True
    campaign = send(3)

    virtual_clock.advance(hours=49)
    tick()

    assert states_of(check(campaign, carrier)) == {states.EXPIRED: 3}
    assert wallet.of(campaign.organisation).available_micros == 3 * PRICE
    assert carrier.total_accepted == 0


def test_a_worker_that_died_before_asking_gives_its_rows_back(carrier: FakeCarrier) -> None:
    campaign = send(3)

    claimed = dispatch.claim(carrier.carrier)
    assert claimed is not None
    assert states_of(campaign) == {states.SENDING: 3}
    virtual_clock.advance(seconds=61)
    tick()
    assert states_of(check(campaign, carrier)) == {states.QUEUED: 3}
    assert dispatch.begin(claimed) is None  # it wakes up late: its lease is over
    carrier.run()

    check(campaign, carrier)
    assert states_of(campaign) == {states.DELIVERED: 3}


def test_nothing_is_begun_once_the_lease_is_over_even_before_the_tick_saw_it(
    carrier: FakeCarrier,
) -> None:
    campaign = send(3)
    claimed = dispatch.claim(carrier.carrier)
    assert claimed is not None

    virtual_clock.advance(seconds=61)

    assert dispatch.begin(claimed) is None
    assert states_of(campaign) == {states.SENDING: 3}


def test_a_worker_that_died_after_asking_leaves_unknowns_and_a_late_answer_still_counts(
    carrier: FakeCarrier,
) -> None:
    campaign = send(3)
    claimed = dispatch.claim(carrier.carrier)
    assert claimed is not None
    prepared = carrier.carrier.prepare(claimed.batch)
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    results = dispatch.submit(carrier.carrier, prepared, time.monotonic() + 10)

    virtual_clock.advance(seconds=61)
    tick()
    assert states_of(check(campaign, carrier)) == {states.UNKNOWN: 3}
    dispatch.record(claimed, prepared, results, asked_at)

    assert states_of(check(campaign, carrier)) == {states.SENT: 3}
    assert Submission.objects.get().status == states.RECORDED


def test_recording_twice_pays_once(carrier: FakeCarrier) -> None:
    campaign = send(3)
    claimed = dispatch.claim(carrier.carrier)
    assert claimed is not None
    prepared = carrier.carrier.prepare(claimed.batch)
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    results = dispatch.submit(carrier.carrier, prepared, time.monotonic() + 10)

    dispatch.record(claimed, prepared, results, asked_at)
    dispatch.record(claimed, prepared, results, asked_at)

    check(campaign, carrier)
    captures = LedgerEntry.objects.filter(source=HELD, target=SPENT)
    assert [entry.amount_micros for entry in captures] == [3 * PRICE]


def test_no_request_is_made_past_the_deadline(carrier: FakeCarrier) -> None:
    send(3)
    claimed = dispatch.claim(carrier.carrier)
    assert claimed is not None
    prepared = carrier.carrier.prepare(claimed.batch)

    results = dispatch.submit(carrier.carrier, prepared, time.monotonic() - 1)

    assert carrier.transport.requests == 0
    assert {result.code for result in results.values()} == {"too_late_to_ask"}
    assert all(result.temporary for result in results.values())


def test_no_more_requests_than_the_window_are_open_at_once() -> None:
    with fake_carrier(max_batch=2, window=3) as house:
        send(10)

        claims = [dispatch.claim(house.carrier) for _ in range(3)]

        # The third slot is kept for high priority.
        assert [claim is not None for claim in claims] == [True, True, False]


def test_only_one_owner_ticks_until_its_lease_is_over() -> None:
    assert reconcile.take_lease("a")
    assert reconcile.take_lease("a")
    assert not reconcile.take_lease("b")
    virtual_clock.advance(seconds=11)
    assert reconcile.take_lease("b")
    assert not reconcile.take_lease("a")


def test_the_statements_of_a_step_do_not_depend_on_its_rows(carrier: FakeCarrier) -> None:
    asked, applied = [], []
    for size in (1, 5, 500):  # the first one makes the carrier's row
        send(size)
        with CaptureQueriesContext(connection) as queries:
            assert dispatch.run_once("main") == size
        asked.append(len(queries))
        virtual_clock.advance(seconds=10)
        carrier.transport.pump()
        with CaptureQueriesContext(connection) as queries:
            assert reports.apply_once() == size
        applied.append(len(queries))
        drain()

    assert asked[1] == asked[2]
    assert applied[1] == applied[2]


class OneText(WithoutQuery):
    """A carrier of one text per request that tells its results apart by number."""

    one_text_per_request = True
    matches_by = "number"


def test_a_request_holds_one_text_and_no_number_twice_where_the_carrier_wants_that() -> None:
    asked: list[list[tuple[str, str]]] = []

    class Watched(OneText):
        def prepare(self, batch: Any) -> Any:
            asked.append([(sms.to, sms.text) for sms in batch])
            return super().prepare(batch)

    organisation = make_organisation()
    one, other = kenyan_numbers(2)
    with fake_carrier(carrier=Watched) as house:
        send_bulk(
            messages=[
                {"to": one, "message": "a"},
                {"to": other, "message": "a"},
                {"to": one, "message": "b"},
            ],
            organisation=organisation,
        )
        for _ in range(2):
            send_bulk(recipients=[one], message="c", organisation=organisation)

        house.run()

    assert sorted(asked) == sorted(
        [[(one, "a"), (other, "a")], [(one, "b")], [(one, "c")], [(one, "c")]]
    )
    assert set(Message.objects.values_list("status", flat=True)) == {states.DELIVERED}
    assert list(audit.faults()) == []


def test_a_carrier_that_answers_nothing_is_asked_slowly() -> None:
    with fake_carrier(
        rules=[{"lose_request": {"how": "reset"}}], carrier=WithoutQuery, max_batch=5
    ) as house:
        campaign = send(20)

        drain()
        # One silent request may be bad luck, a second one in a row is a carrier that is down.
        assert house.transport.requests == 2
        assert states_of(campaign) == {states.UNKNOWN: 10, states.QUEUED: 10}
        virtual_clock.advance(seconds=4)
        drain()
        assert house.transport.requests == 2
        virtual_clock.advance(seconds=3)
        drain()

        assert house.transport.requests == 3
