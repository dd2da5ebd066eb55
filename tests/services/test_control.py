"""Pause, resume, cancel, reschedule: exact at any moment, and every cent comes back."""

from __future__ import annotations

import datetime as dt
import time
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import send_bulk, states
from bulksms.exceptions import Conflict, InvalidRequest, NotFound
from bulksms.models import Campaign, Hold, Message, Organisation, Run
from bulksms.services import audit, control, dispatch, reconcile, retrying, wallet
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db


def queue(
    organisation: Organisation, how_many: int = 10, *, in_hours: float = 0, **options: object
) -> UUID:
    at = virtual_clock.now() + dt.timedelta(hours=in_hours) if in_hours else None
    numbers = kenyan_numbers(how_many)
    result = send_bulk(
        recipients=numbers, message="Hi", organisation=organisation, scheduled_at=at, **options
    )  # type: ignore[arg-type]
    return result.id


def status_of(campaign_id: UUID) -> str:
    return Campaign.objects.get(pk=campaign_id).status


# Pause and resume


def test_a_paused_campaign_is_not_asked_for_until_it_is_resumed(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation)

    paused = control.pause(organisation, campaign_id)
    carrier.run()

    assert (paused.changed, paused.gone, status_of(campaign_id)) == (10, 0, states.PAUSED)
    assert carrier.total_accepted == 0
    resumed = control.resume(organisation, campaign_id)
    carrier.run()
    assert resumed.campaign.status == states.QUEUED
    assert (carrier.total_accepted, status_of(campaign_id)) == (10, states.COMPLETED)


def test_what_is_on_its_way_when_a_campaign_is_paused_still_counts() -> None:
    with fake_carrier(max_batch=4) as house:
        organisation = make_organisation()
        campaign_id = queue(organisation)
        claimed = dispatch.claim(house.carrier)
        assert claimed is not None

        paused = control.pause(organisation, campaign_id)
        assert dispatch.claim(house.carrier) is None
        prepared = house.carrier.prepare(claimed.batch)
        asked_at = dispatch.begin(claimed)
        assert asked_at is not None
        dispatch.record(
            claimed,
            prepared,
            dispatch.submit(house.carrier, prepared, time.monotonic() + 10),
            asked_at,
        )

        assert (paused.changed, paused.gone) == (6, 4)
        assert (house.total_accepted, status_of(campaign_id)) == (4, states.PAUSED)


def test_a_paused_message_expires_as_any_other_and_its_money_comes_back() -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    campaign_id = queue(organisation)
    control.pause(organisation, campaign_id)

    virtual_clock.advance(hours=49)
    tick()

    assert set(Message.objects.values_list("status", "error")) == {
        (states.EXPIRED, "expired_in_queue")
    }
    assert wallet.of(organisation).available_micros == 10_000_000
    assert status_of(campaign_id) == states.COMPLETED


def test_pausing_touches_no_message_however_many_there_are() -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation)

    with CaptureQueriesContext(
        connection,
    ) as seen:
        control.pause(organisation, campaign_id)
        control.resume(organisation, campaign_id)

    assert seen.captured_queries
    assert not [query for query in seen.captured_queries if "bulksms_message" in query["sql"]]


def test_nothing_to_pause_is_said_so(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation)
    drain()

    with pytest.raises(Conflict) as caught:
        control.pause(organisation, campaign_id)
    assert caught.value.code == "nothing_to_pause"
    with pytest.raises(Conflict) as caught:
        control.resume(organisation, campaign_id)
    assert caught.value.code == "not_paused"


@pytest.mark.parametrize("deed", [control.pause, control.resume, control.cancel])
def test_another_organisations_campaign_is_not_there(deed: object) -> None:
    campaign_id = queue(make_organisation())
    stranger = make_organisation()

    for unknown in (campaign_id, uuid4()):
        with pytest.raises(NotFound):
            deed(stranger, unknown)  # type: ignore[operator]

    assert status_of(campaign_id) == states.QUEUED
    assert not Run.objects.filter(is_paused=True).exists()


# Cancel


def test_cancelling_ends_what_waits_and_gives_its_money_back(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    campaign_id = queue(organisation)

    cancelled = control.cancel(organisation, campaign_id)
    carrier.run()

    assert (cancelled.changed, cancelled.remaining, cancelled.gone) == (10, 0, 0)
    assert status_of(campaign_id) == states.CANCELLED
    assert carrier.total_accepted == 0
    assert wallet.of(organisation).available_micros == 10_000_000
    assert not Hold.objects.filter(closed_at=None).exists()
    assert list(audit.faults()) == []


def test_cancelling_half_way_is_honest_about_what_had_left() -> None:
    with fake_carrier(max_batch=4) as house:
        organisation = make_organisation(balance_micros=10_000_000)
        campaign_id = queue(organisation)
        dispatch.run_once("main")

        cancelled = control.cancel(organisation, campaign_id)

        assert (cancelled.changed, cancelled.gone) == (6, 4)
        assert cancelled.campaign.status == states.REPORTING
        house.run()
        assert status_of(campaign_id) == states.CANCELLED
        assert (house.total_accepted, wallet.of(organisation).available_micros) == (4, 6_000_000)
        assert list(audit.faults()) == []


def test_what_expired_in_our_own_queue_has_not_left_it(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, 3)
    virtual_clock.advance(hours=49)
    tick()
    first = Message.objects.earliest("id").pk
    retrying.retry(organisation, campaign_id, retrying.Wanted([first]))

    cancelled = control.cancel(organisation, campaign_id)

    assert (cancelled.changed, cancelled.gone) == (1, 0)
    assert carrier.total_accepted == 0


def test_a_row_that_comes_back_to_a_cancelled_campaign_is_cancelled_too() -> None:
    with fake_carrier() as house:
        organisation = make_organisation(balance_micros=10_000_000)
        campaign_id = queue(organisation)
        claimed = dispatch.claim(house.carrier)
        assert claimed is not None

        cancelled = control.cancel(organisation, campaign_id)
        assert (cancelled.changed, cancelled.gone) == (0, 10)
        virtual_clock.advance(minutes=2)  # its worker never comes back: nothing was sent
        tick()
        tick()

        assert status_of(campaign_id) == states.CANCELLED
        assert wallet.of(organisation).available_micros == 10_000_000


def test_a_large_cancellation_goes_in_batches_and_the_tick_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "BATCH", 4)
    monkeypatch.setattr(control, "AT_ONCE", 4)
    organisation = make_organisation(balance_micros=10_000_000)
    campaign_id = queue(organisation)

    cancelled = control.cancel(organisation, campaign_id)
    assert (cancelled.changed, cancelled.remaining) == (4, 6)
    for _ in range(2):
        reconcile.tick_once()

    assert status_of(campaign_id) == states.CANCELLED
    assert wallet.of(organisation).available_micros == 10_000_000


def test_a_finished_campaign_cannot_be_cancelled(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation)
    carrier.run()

    with pytest.raises(Conflict) as caught:
        control.cancel(organisation, campaign_id)

    assert (caught.value.code, status_of(campaign_id)) == ("campaign_finished", states.COMPLETED)


# Schedule


def test_a_scheduled_campaign_leaves_at_its_new_time(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, in_hours=5)

    moved = control.reschedule(
        organisation, campaign_id, virtual_clock.now() + dt.timedelta(hours=2)
    )
    carrier.run(hours=1)
    assert (carrier.total_accepted, moved.campaign.status) == (0, states.SCHEDULED)
    carrier.run(hours=1, seconds=1)
    drain()

    assert carrier.total_accepted == 10


def test_a_campaign_moved_by_days_expires_two_days_after_its_new_time() -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, in_hours=1)

    control.reschedule(organisation, campaign_id, virtual_clock.now() + dt.timedelta(days=4))
    with fake_carrier() as house:
        house.run(days=3)
        assert status_of(campaign_id) == states.SCHEDULED
        house.run(days=1, seconds=1)
        drain()
        assert house.total_accepted == 10


def test_a_campaign_is_not_moved_past_the_expiry_that_was_asked_for() -> None:
    organisation = make_organisation()
    expires_at = virtual_clock.now() + dt.timedelta(hours=3)
    campaign_id = queue(organisation, in_hours=1, expires_at=expires_at)

    with pytest.raises(InvalidRequest) as caught:
        control.reschedule(organisation, campaign_id, expires_at)

    assert [error.code for error in caught.value.errors] == ["after_expiry"]


@pytest.mark.parametrize("span", [{"seconds": 0}, {"days": 181}])
def test_a_time_that_no_request_may_have_is_refused(span: dict[str, float]) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, in_hours=1)

    with pytest.raises(InvalidRequest):
        control.reschedule(organisation, campaign_id, virtual_clock.now() + dt.timedelta(**span))


def test_a_campaign_that_has_begun_cannot_be_rescheduled(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation)

    with pytest.raises(Conflict) as caught:
        control.reschedule(organisation, campaign_id, virtual_clock.now() + dt.timedelta(hours=1))

    assert caught.value.code == "not_scheduled"


def test_a_schedule_that_passes_while_paused_means_now(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, in_hours=1)
    control.pause(organisation, campaign_id)
    carrier.run(hours=2)
    assert carrier.total_accepted == 0

    resumed = control.resume(organisation, campaign_id)
    carrier.run()

    assert resumed.campaign.status == states.QUEUED
    assert carrier.total_accepted == 10


def test_resuming_before_its_time_waits_for_it(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign_id = queue(organisation, in_hours=1)
    control.pause(organisation, campaign_id)

    resumed = control.resume(organisation, campaign_id)
    carrier.run()

    assert (resumed.campaign.status, carrier.total_accepted) == (states.SCHEDULED, 0)
