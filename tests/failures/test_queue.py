"""Lost, stuck or doubled between the sender's commit and the carrier: what went wrong in queues
elsewhere. docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from bulksms import send_bulk, send_sms, states
from bulksms.models import Campaign, Message
from bulksms.services import claiming, control, dispatch, reconcile
from bulksms.testing import drain, tick, virtual_clock
from tests.crash.cells import Cell
from tests.crash.conftest import Open
from tests.crash.play import play
from tests.factories import kenyan_numbers, make_organisation
from tests.failures.conftest import Job
from tests.failures.world import PRICE, ask, begun, check, send, states_of
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db


def test_a_sweep_that_breaks_on_a_unique_key_leaves_the_other_sweeps_their_work(
    carrier: FakeCarrier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = send(3)
    assert claiming.claim(carrier.carrier) is not None
    others = {**reconcile.SWEEPS}

    def broken(now: object) -> int:
        raise IntegrityError("duplicate key")

    monkeypatch.setattr(reconcile, "SWEEPS", {"broken": broken, **others})
    virtual_clock.advance(seconds=61)
    tick()

    assert states_of(campaign) == {states.QUEUED: 3}
    assert "the sweep 'broken' failed" in caplog.text


def test_one_abandoned_request_that_cannot_be_ended_does_not_keep_the_others_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fake_carrier(max_batch=1) as house:
        campaign = send(3)
        stuck, *_ = [claiming.claim(house.carrier) for _ in range(3)]
        assert stuck is not None
        end_lease = reconcile._end_lease

        def break_on_one(submission_id: UUID, now: Any) -> int:
            if submission_id == stuck.submission_id:
                raise IntegrityError("duplicate key")
            return end_lease(submission_id, now)

        monkeypatch.setattr(reconcile, "_end_lease", break_on_one)
        virtual_clock.advance(seconds=61)
        tick()

        assert states_of(campaign) == {states.SENDING: 1, states.QUEUED: 2}


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_faster_than_its_sender_has_the_last_word(carrier: FakeCarrier) -> None:
    """The whole work is done at the commit, before the sender goes on."""
    organisation = make_organisation()

    with transaction.atomic():
        transaction.on_commit(lambda: dispatch.run_once("main"))
        message = send_sms("0712345678", "Hi", organisation=organisation)

    assert carrier.total_accepted == 1
    assert Message.objects.get(pk=message.pk).status == states.SENT
    tick()
    drain()
    assert Message.objects.get(pk=message.pk).status == states.SENT
    assert Campaign.objects.get().status == states.REPORTING
    check(carrier)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_rollback_sends_nothing_and_wakes_nobody_and_a_commit_always_sends(
    carrier: FakeCarrier, nudges: list[Job]
) -> None:
    organisation = make_organisation()
    with transaction.atomic():
        send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)
        transaction.set_rollback(True)
    drain()
    assert (nudges, carrier.total_accepted) == ([], 0)

    with transaction.atomic():
        send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)
    assert nudges == [("bulksms_dispatch", "main")]
    nudges.clear()  # the broker lost it
    tick()

    assert nudges == [("bulksms_dispatch", "main")]
    drain()
    assert carrier.total_accepted == 2


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_nudge_names_the_work_and_never_carries_recipients(
    carrier: FakeCarrier, nudges: list[Job]
) -> None:
    send(600, message="Secret 4711")
    drain()
    virtual_clock.advance(seconds=10)
    carrier.transport.pump()
    drain()

    assert {job[0] for job in nudges} == {"bulksms_dispatch", "bulksms_apply_reports"}
    assert {job[1:] for job in nudges} == {("main",), ()}
    assert len(nudges) < 10, "a nudge per row"


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_that_are_still_being_queued_are_left_alone_by_the_sweeper(
    carrier: FakeCarrier, in_background: Callable[[Callable[[], Any]], Any]
) -> None:
    with transaction.atomic():
        campaign = send(20)

        def sweep() -> None:
            for _ in range(3):
                tick()
                drain()

        in_background(sweep).join(30)
        assert states_of(campaign) == {states.QUEUED: 20}
        assert carrier.transport.requests == 0
    for _ in range(3):
        tick()
        drain()
    carrier.run()

    check(carrier)
    assert (states_of(campaign), carrier.total_accepted) == ({states.DELIVERED: 20}, 20)


@pytest.mark.slow
def test_a_step_holds_one_request_in_memory_and_not_the_queue() -> None:
    with fake_carrier(max_batch=50) as house:
        send(50)
        dispatch.run_once("main")  # imports and caches
        send(100)
        small = peak_of_a_step()
        drain()
        send(1_500)
        large = peak_of_a_step()

        assert Message.objects.filter(status=states.QUEUED).count() == 1_450
        assert large < 2 * small, f"{small} bytes with 100 queued, {large} with 1,500"
        assert house.transport.requests == 4


def peak_of_a_step() -> int:
    """Bytes that one dispatch step needs at most."""
    gc.collect()
    tracemalloc.start()
    try:
        assert dispatch.run_once("main") == 50
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_pausing_and_resuming_sends_none_twice_and_loses_none() -> None:
    rules = [{"match": {"share": 20}, "refuse": {"code": "temporary_failure", "tries": 1}}]
    with fake_carrier(rules=rules, max_batch=50) as house:
        campaign = send(400)
        for _ in range(3):
            dispatch.run_once("main")
        claimed, prepared, asked_at = begun(house)

        control.pause(campaign.organisation, campaign.pk)
        dispatch.record(claimed, prepared, ask(house, prepared), asked_at)  # was on its way
        taken = house.total_accepted
        for _ in range(5):
            house.run(minutes=10)
        assert house.total_accepted == taken, "something left while it was paused"
        assert 150 <= taken <= 200
        for _ in range(3):
            control.resume(campaign.organisation, campaign.pk)
            dispatch.run_once("main")
            control.pause(campaign.organisation, campaign.pk)
        control.resume(campaign.organisation, campaign.pk)
        for _ in range(5):
            house.run(minutes=10)

        check(house)
        assert (states_of(campaign), house.total_accepted) == ({states.DELIVERED: 400}, 400)


def test_a_campaign_is_completed_when_its_last_row_is_done_and_not_before() -> None:
    numbers = kenyan_numbers(4)
    rules = [
        {"match": {"number": numbers[0]}, "refuse": {"code": "temporary_failure", "tries": 2}},
        {"match": {"number": numbers[1]}, "report": {"state": "delivered", "delay_s": 8 * 3600}},
        {"match": {"number": numbers[2]}, "report": False},
    ]
    with fake_carrier(rules=rules) as house:
        campaign = send(4)

        seen = []
        for _ in range(20):
            house.run(hours=4)
            campaign.refresh_from_db()
            left = Message.objects.filter(campaign=campaign, done_at=None).count()
            seen.append((campaign.status == states.COMPLETED, left == 0))
            assert (campaign.finished_at is None) == bool(left)

        assert all(completed == done for completed, done in seen)
        assert seen[0] == (False, False)
        assert seen[-1] == (True, True)
        check(house)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_kill_9_in_the_middle_of_recording_loses_no_cent_and_no_message(stage: Open) -> None:
    cell = Cell("inside tx3", "answers")
    play(cell, stage(cell))


class ClaimPlans:
    """The plan of every statement that claims rows."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "SKIP LOCKED" in sql and f"FROM {Message._meta.db_table}" in sql:
            with connection.cursor().cursor as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                self.found.append("\n".join(row[0] for row in cursor.fetchall()))
        return execute(sql, params, many, context)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_claim_looks_at_queued_rows_only_however_many_are_finished(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=20 * PRICE, price_micros=PRICE)
    send_bulk(recipients=kenyan_numbers(10_000), message="Hi", organisation=organisation)
    assert Message.objects.exclude(status=states.QUEUED).count() == 9_980
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Message._meta.db_table}")

    plans = ClaimPlans()
    with connection.execute_wrapper(plans):
        assert dispatch.run_once("main") == 20

    (plan,) = plans.found
    assert "bulksms_message_queue" in plan, plan
    assert "Seq Scan on bulksms_message" not in plan, plan
    assert carrier.total_accepted == 20
