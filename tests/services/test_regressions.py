"""Bugs that a review found, each kept as the story of how it happened."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

from bulksms import clock, send_bulk, states
from bulksms.carriers.base import ParsedReport, SubmitResult
from bulksms.models import Campaign, Message, Report, Submission
from bulksms.services import audit, claiming, dispatch, reconcile, reports, resolving, settlement
from bulksms.services.claiming import Claim
from bulksms.testing import tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

REFUSED = SubmitResult("refused", code="no_connection", temporary=True)


def send(count: int = 1) -> Campaign:
    organisation = make_organisation()
    return send_bulk(
        recipients=kenyan_numbers(count), message="Hi", organisation=organisation
    ).campaign


def begun(house: FakeCarrier) -> tuple[Claim, Any, dt.datetime]:
    """A request that is about to be made."""
    claimed = claiming.claim(house.carrier)
    assert claimed is not None
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    return claimed, house.carrier.prepare(claimed.batch), asked_at


def report(reference: str, state: str = "", key: str = "k") -> ParsedReport:
    return ParsedReport(key, "", reference, state, "", "{}")


def test_a_decision_made_on_an_old_list_moves_no_row_that_is_being_asked_for(
    carrier: FakeCarrier,
) -> None:
    campaign = send()
    claimed, _, _ = begun(carrier)

    listed = [(claimed.rows[0].id, campaign.pk)]
    moved = [resolving._decide_batch(listed, outcome) for outcome in resolving.OUTCOMES]

    assert moved == [0, 0, 0, 0]
    message = Message.objects.get()
    assert (message.status, message.attempt) == (states.SENDING, 1)


def test_an_expiry_from_an_old_list_ends_no_message_that_was_sent(carrier: FakeCarrier) -> None:
    campaign = send()
    claimed, prepared, asked_at = begun(carrier)
    accepted = {claimed.rows[0].reference: SubmitResult("accepted", "R1")}
    dispatch.record(claimed, prepared, accepted, asked_at)

    with transaction.atomic():
        late = [reconcile._expired(claimed.rows[0].id)]
        settlement.apply(late, {campaign.pk}, key="late", now=clock.now())

    assert Message.objects.get().status == states.SENT


def test_a_carrier_that_is_away_for_days_does_not_overflow_the_count_of_asks(
    carrier: FakeCarrier,
) -> None:
    send()
    claimed, prepared, asked_at = begun(carrier)
    Message.objects.update(asks=32_767)

    dispatch.record(claimed, prepared, {claimed.rows[0].reference: REFUSED}, asked_at)

    assert Message.objects.get().status == states.QUEUED


def test_a_report_on_its_way_that_comes_early_waits_for_the_recording(carrier: FakeCarrier) -> None:
    send()
    claimed, prepared, asked_at = begun(carrier)
    reference = claimed.rows[0].reference
    reports.store("main", [report(reference)])
    reports.apply_once()
    assert Report.objects.get().status == states.PARKED

    answer = {reference: SubmitResult("accepted", "R1")}
    dispatch.record(claimed, prepared, answer, asked_at)

    message = Message.objects.get()
    assert (message.status, message.carrier_ref, message.asks) == (states.SENT, "R1", 1)
    assert message.asked_at == asked_at


@pytest.mark.parametrize("tail", ["--99999999999999999999", "-1_0", "-٣", "-2", "-0", "x"])
def test_a_forged_reference_blocks_no_other_report(carrier: FakeCarrier, tail: str) -> None:
    send(2)
    claimed, prepared, asked_at = begun(carrier)
    refs = [row.reference for row in claimed.rows]
    answer = {ref: SubmitResult("accepted", f"R{n}") for n, ref in enumerate(refs)}
    dispatch.record(claimed, prepared, answer, asked_at)

    forged = report(refs[0] + tail, states.UNDELIVERED, "forged")
    reports.store("main", [forged, report(refs[1], states.DELIVERED, "real")])
    reports.apply_once()

    found = Message.objects.order_by("id").values_list("status", flat=True)
    assert list(found) == [states.SENT, states.DELIVERED]


def test_a_late_answer_that_knows_nothing_does_not_cancel_the_query(carrier: FakeCarrier) -> None:
    send()
    claimed, prepared, asked_at = begun(carrier)
    virtual_clock.advance(seconds=61)
    tick()

    dispatch.record(claimed, prepared, {}, asked_at)

    assert Submission.objects.get().query_due_at is not None


def test_a_carrier_that_was_removed_does_not_stop_the_tick(
    carrier: FakeCarrier, settings: Any
) -> None:
    send()
    claimed, _, _ = begun(carrier)
    Submission.objects.update(carrier="gone")
    virtual_clock.advance(seconds=61)

    tick()

    assert Submission.objects.get().status == states.LOST
    assert Message.objects.get(id=claimed.rows[0].id).status == states.UNKNOWN


def test_the_same_first_row_in_two_sweeps_is_released_twice_under_two_keys(
    carrier: FakeCarrier,
) -> None:
    """The ledger's key names the cause once: two causes that begin with one row are two."""
    carrier.transport.down = True
    campaign = send(2)
    first, second = Message.objects.order_by("id").values_list("id", flat=True)
    Message.objects.filter(id=second).update(expires_at=clock.now())
    Campaign.objects.update(expires_at=clock.now())
    tick()
    Message.objects.filter(id=first).update(expires_at=clock.now())
    tick()

    assert set(Message.objects.values_list("status", flat=True)) == {states.EXPIRED}
    assert list(audit.faults()) == []
    assert Campaign.objects.get(pk=campaign.pk).status == states.COMPLETED
