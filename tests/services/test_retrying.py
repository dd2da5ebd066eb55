"""Retry: only what did not arrive, once, at today's price; late words about the first attempt."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from bulksms import send_bulk, states
from bulksms.carriers.base import ParsedReport
from bulksms.exceptions import Conflict, InvalidRequest, NotFound
from bulksms.models import Campaign, Hold, Message, MessageAttempt, Organisation, Run
from bulksms.services import (
    audit,
    control,
    dispatch,
    organisations,
    reports,
    retrying,
    suppression,
    wallet,
)
from bulksms.services.retrying import Wanted
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

ALL = Wanted()


def send(organisation: Organisation, how_many: int = 3, **options: Any) -> Campaign:
    options.setdefault("message", "Hi")
    return send_bulk(
        recipients=kenyan_numbers(how_many), organisation=organisation, **options
    ).campaign


def end_as(campaign: Campaign, status: str, error: str = "") -> None:
    """Every message of the campaign was sent and reported like this."""
    drain()
    rows = Message.objects.filter(campaign=campaign).values_list("id", flat=True)
    reports.store(
        "main",
        [ParsedReport(f"{uuid4()}", "", str(id_), status, error or "027", "{}") for id_ in rows],
    )
    reports.apply_once()


def statuses(campaign: Campaign) -> list[str]:
    rows = Message.objects.filter(campaign=campaign).order_by("id")
    return list(rows.values_list("status", flat=True))


@pytest.fixture
def quiet() -> Any:
    """A carrier that sends no report of its own."""
    with fake_carrier(rules=[{"match": {}, "report": False}]) as house:
        yield house


def test_what_was_skipped_for_want_of_money_is_sent_after_a_top_up(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=1_000_000)
    campaign = send(organisation)
    carrier.run()
    assert statuses(campaign) == [states.DELIVERED, states.FAILED, states.SKIPPED]
    wallet.top_up(organisation, 2_000_000, key="more")

    retried = retrying.retry(organisation, campaign.pk, ALL)
    carrier.run()

    assert (retried.queued, retried.cost_micros, retried.campaign.round) == (2, 2_000_000, 1)
    assert statuses(campaign) == [states.DELIVERED] * 3
    assert carrier.total_accepted == 3
    # Never funded before: this is still their first attempt.
    assert not MessageAttempt.objects.exists()
    assert list(audit.faults()) == []


def test_a_dry_run_tells_the_cost_and_changes_nothing(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=1_000_000)
    campaign = send(organisation)
    carrier.run()
    wallet.top_up(organisation, 2_000_000, key="more")

    planned = retrying.retry(organisation, campaign.pk, ALL, dry_run=True)

    assert (planned.queued, planned.cost_micros, planned.dry_run) == (2, 2_000_000, True)
    assert statuses(campaign) == [states.DELIVERED, states.FAILED, states.SKIPPED]
    assert wallet.of(organisation).available_micros == 2_000_000
    assert Campaign.objects.get().round == 0


def test_each_attempt_is_charged_once_and_the_first_is_kept(quiet: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    campaign = send(organisation)
    end_as(campaign, states.UNDELIVERED)

    retried = retrying.retry(organisation, campaign.pk, ALL)
    drain()

    assert retried.queued == 3
    assert quiet.total_accepted == 6
    assert quiet.duplicates[0] == 0
    rows = MessageAttempt.objects.values_list("attempt", "status", "charge", "captured_micros")
    assert set(rows) == {(1, states.UNDELIVERED, states.CAPTURED, 1_000_000)}
    assert wallet.of(organisation).available_micros == 4_000_000
    assert Campaign.objects.get().sent_count == 3
    assert list(audit.faults()) == []


def test_the_price_of_a_retry_is_todays(quiet: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    campaign = send(organisation, 2)
    end_as(campaign, states.UNDELIVERED)
    virtual_clock.advance(minutes=1)
    organisations.set_rate(
        1_500_000, currency="KES", organisation=organisation, at=virtual_clock.now()
    )

    retried = retrying.retry(organisation, campaign.pk, ALL)
    drain()

    assert retried.cost_micros == 3_000_000
    assert wallet.of(organisation).available_micros == 5_000_000
    assert set(Message.objects.values_list("attempt", "cost_micros")) == {(2, 1_500_000)}
    assert list(audit.faults()) == []


def test_a_second_retry_finds_nothing_left_to_ask_for(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign = send(organisation)
    end_as(campaign, states.UNDELIVERED)
    retrying.retry(organisation, campaign.pk, ALL)

    again = retrying.retry(organisation, campaign.pk, ALL)

    assert (again.queued, again.rows) == (0, [])
    assert Campaign.objects.get().round == 1
    assert Hold.objects.count() == 2


def test_a_retry_that_the_money_stops_leaves_the_others_as_they_were(quiet: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=4_000_000)
    campaign = send(organisation)
    end_as(campaign, states.UNDELIVERED)

    retried = retrying.retry(organisation, campaign.pk, ALL)

    assert [row.error for row in retried.rows] == ["", *["insufficient_balance"] * 2]
    assert statuses(campaign) == [states.QUEUED, states.UNDELIVERED, states.UNDELIVERED]
    assert list(audit.faults()) == []


@pytest.mark.parametrize("status", [states.QUEUED, states.SENT, states.DELIVERED, states.UNKNOWN])
def test_what_may_arrive_or_has_arrived_is_never_asked_for_again(status: str) -> None:
    lost = [{"match": {}, "lose_answer": {"how": "reset"}, "report": False}]
    silent = [{"match": {}, "report": False}]
    with fake_carrier(rules=lost if status == states.UNKNOWN else silent) as house:
        organisation = make_organisation()
        campaign = send(organisation)
        if status == states.DELIVERED:
            end_as(campaign, status)
        elif status != states.QUEUED:
            drain()
        assert set(statuses(campaign)) == {status}
        ids = list(Message.objects.values_list("id", flat=True))

        by_default = retrying.retry(organisation, campaign.pk, ALL)
        by_id = retrying.retry(
            organisation, campaign.pk, Wanted(message_ids=ids, accept_duplicates=True)
        )
        with pytest.raises(InvalidRequest) as caught:
            retrying.retry(organisation, campaign.pk, Wanted(statuses=[status]))

        assert (by_default.rows, by_id.queued) == ([], 0)
        assert {row.error for row in by_id.rows} == {"not_retryable"}
        assert caught.value.code == "not_retryable"
        assert set(statuses(campaign)) == {status}
        assert house.total_accepted == (0 if status == states.QUEUED else 3)


def test_a_permanent_failure_is_asked_for_again_only_when_it_is_named(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign = send(organisation)
    end_as(campaign, states.REJECTED, "069")

    assert retrying.retry(organisation, campaign.pk, ALL, dry_run=True).rows == []
    named = Wanted(statuses=[states.REJECTED])
    assert retrying.retry(organisation, campaign.pk, named, dry_run=True).queued == 3
    by_error = Wanted(errors=["069"])
    assert retrying.retry(organisation, campaign.pk, by_error, dry_run=True).queued == 3
    other = Wanted(statuses=[states.REJECTED], errors=["027"])
    assert retrying.retry(organisation, campaign.pk, other, dry_run=True).rows == []


def test_an_invalid_number_is_never_retried_and_a_suppressed_one_is_refused_again(
    carrier: FakeCarrier,
) -> None:
    organisation = make_organisation()
    numbers = kenyan_numbers(2)
    suppression.suppress(numbers[:1], organisation=organisation)
    campaign = send_bulk(
        recipients=["12", *numbers], message="Hi", organisation=organisation
    ).campaign
    carrier.run()
    ids = list(Message.objects.order_by("id").values_list("id", flat=True))[:2]

    assert retrying.retry(organisation, campaign.pk, ALL).rows == []
    named = retrying.retry(organisation, campaign.pk, Wanted(message_ids=ids))
    with pytest.raises(InvalidRequest):
        retrying.retry(organisation, campaign.pk, Wanted(errors=["invalid_recipient"]))

    assert [row.error for row in named.rows] == ["not_retryable", "suppressed"]
    assert carrier.total_accepted == 1


def test_an_unconfirmed_message_needs_its_id_and_a_word(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign = send(organisation, 1)
    drain()
    virtual_clock.advance(hours=73)
    tick()
    assert statuses(campaign) == [states.UNCONFIRMED]
    (id_,) = Message.objects.values_list("id", flat=True)

    assert retrying.retry(organisation, campaign.pk, ALL).rows == []
    with pytest.raises(InvalidRequest):
        retrying.retry(organisation, campaign.pk, Wanted(statuses=[states.UNCONFIRMED]))
    unsaid = retrying.retry(organisation, campaign.pk, Wanted(message_ids=[id_]))
    assert [row.error for row in unsaid.rows] == ["may_have_arrived"]
    said = retrying.retry(
        organisation, campaign.pk, Wanted(message_ids=[id_], accept_duplicates=True)
    )
    drain()

    assert (said.queued, quiet.total_accepted) == (1, 2)
    assert list(audit.faults()) == []


# Late words about the first attempt


def late(reference: object, state: str) -> None:
    reports.store("main", [ParsedReport(f"{uuid4()}", "", str(reference), state, "000", "{}")])
    reports.apply_once()


def retried_message(organisation: Organisation) -> Message:
    campaign = send(organisation, 1)
    end_as(campaign, states.UNDELIVERED)
    assert retrying.retry(organisation, campaign.pk, ALL).queued == 1
    return Message.objects.get()


def test_delivered_after_all_ends_a_retry_that_still_waits_and_gives_its_money_back(
    quiet: FakeCarrier,
) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    message = retried_message(organisation)

    late(message.id, states.DELIVERED)
    drain()

    message.refresh_from_db()
    assert (message.status, message.attempt, message.charge) == (
        states.DELIVERED, 2, states.RELEASED,
    )  # fmt: skip
    assert quiet.total_accepted == 1
    assert wallet.of(organisation).available_micros == 9_000_000
    assert Campaign.objects.get().status == states.COMPLETED
    assert Run.objects.get().queued_count == 0
    assert list(audit.faults()) == []


def test_delivered_after_all_moves_nothing_once_the_retry_was_sent(quiet: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    message = retried_message(organisation)
    drain()

    late(message.id, states.DELIVERED)

    message.refresh_from_db()
    assert (message.status, message.attempt) == (states.SENT, 2)
    assert MessageAttempt.objects.get().late_status == states.DELIVERED
    assert wallet.of(organisation).available_micros == 8_000_000
    assert list(audit.faults()) == []


def test_another_late_word_than_delivered_does_not_end_a_retry(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    message = retried_message(organisation)

    late(message.id, states.REJECTED)

    message.refresh_from_db()
    assert message.status == states.QUEUED
    assert MessageAttempt.objects.get().late_status == states.REJECTED


def test_the_new_attempts_own_report_is_the_one_that_counts(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    message = retried_message(organisation)
    drain()

    late(f"{message.id}-2", states.DELIVERED)

    message.refresh_from_db()
    assert (message.status, message.attempt) == (states.DELIVERED, 2)
    assert MessageAttempt.objects.get().late_status == ""


# Around it


def test_a_paused_campaign_keeps_its_retry_until_it_is_resumed(quiet: FakeCarrier) -> None:
    organisation = make_organisation()
    numbers = kenyan_numbers(4)
    campaign = send_bulk(recipients=numbers, message="Hi", organisation=organisation).campaign
    with fake_carrier(max_batch=2, rules=[{"match": {}, "report": False}]) as house:
        dispatch.run_once("main")
        control.pause(organisation, campaign.pk)
        sent = Message.objects.filter(status=states.SENT).values_list("id", flat=True)
        reports.store(
            "main",
            [ParsedReport(f"{id_}", "", str(id_), states.UNDELIVERED, "027", "{}") for id_ in sent],
        )
        reports.apply_once()

        assert retrying.retry(organisation, campaign.pk, ALL).queued == 2
        drain()
        assert house.total_accepted == 2
        control.resume(organisation, campaign.pk)
        drain()

        assert house.total_accepted == 6


def test_a_campaign_that_is_being_cancelled_is_not_retried() -> None:
    organisation = make_organisation(balance_micros=2_000_000)
    campaign = send(organisation)
    with fake_carrier(max_batch=1, rules=[{"match": {}, "report": False}]):
        dispatch.run_once("main")
    control.cancel(organisation, campaign.pk)

    with pytest.raises(Conflict) as caught:
        retrying.retry(organisation, campaign.pk, ALL)

    assert caught.value.code == "being_cancelled"


def test_an_unknown_id_and_a_foreign_campaign_are_refused_whole() -> None:
    organisation, stranger = make_organisation(balance_micros=0), make_organisation()
    campaign = send(organisation)

    with pytest.raises(InvalidRequest) as caught:
        retrying.retry(organisation, campaign.pk, Wanted(message_ids=[uuid4()]))
    with pytest.raises(NotFound):
        retrying.retry(stranger, campaign.pk, ALL)

    assert caught.value.code == "message_not_found"
