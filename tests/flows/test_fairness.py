"""Whose messages go next: fair between organisations, urgent ones first, nobody starved."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

import pytest
from django.db.models import Count

from bulksms import send_bulk, states
from bulksms.models import Message, Organisation, Run
from bulksms.models.outbox import HIGH, NORMAL
from bulksms.services import dispatch
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db

BATCH = 500


def queue(organisation: Organisation, how_many: int, priority: str = NORMAL) -> None:
    send_bulk(
        recipients=kenyan_numbers(how_many), message="Hi", organisation=organisation,
        priority=priority,
    )  # fmt: skip


def rich(how_many: int) -> list[Organisation]:
    return [make_organisation(balance_micros=10**12) for _ in range(how_many)]


def left_the_queue(organisations: Iterable[Organisation]) -> Counter[int]:
    """Organisation -> how many of its messages were asked for."""
    rows = Message.objects.exclude(status=states.QUEUED).values("organisation_id")
    counts = Counter({organisation.pk: 0 for organisation in organisations})
    counts.update(dict(rows.annotate(n=Count("id")).values_list("organisation_id", "n")))
    return counts


@pytest.mark.slow
def test_a_small_sender_does_not_wait_for_twenty_large_ones() -> None:
    busy = rich(20)
    with fake_carrier(max_batch=BATCH):
        for organisation in busy:
            queue(organisation, 5_000)
        for _ in range(6):
            dispatch.run_once("main")
        (late,) = rich(1)
        queue(late, 100)
        before = left_the_queue([*busy, late])

        counts = before
        while counts[late.pk] < 100:
            assert dispatch.run_once("main")
            counts = left_the_queue([*busy, late])
            served = [counts[organisation.pk] for organisation in busy]
            assert max(served) - min(served) <= 2 * BATCH

        more = sum(counts[organisation.pk] - before[organisation.pk] for organisation in busy)
        assert more < 5_000


def test_two_busy_organisations_never_differ_by_more_than_two_requests() -> None:
    with fake_carrier(max_batch=20):
        pair = rich(2)
        for organisation in pair:
            queue(organisation, 400)

        while any(count < 400 for count in left_the_queue(pair).values()):
            assert dispatch.run_once("main")
            counts = left_the_queue(pair)
            assert abs(counts[pair[0].pk] - counts[pair[1].pk]) <= 40


def test_a_thousand_campaigns_get_no_more_than_one() -> None:
    with fake_carrier(max_batch=20):
        many, one = rich(2)
        for _ in range(60):
            queue(many, 1)
        queue(one, 60)

        for _ in range(4):
            dispatch.run_once("main")

        counts = left_the_queue([many, one])
        assert counts[many.pk] == counts[one.pk] == 40


def test_parts_are_what_is_shared_and_not_messages() -> None:
    with fake_carrier(max_batch=20):
        long, short = rich(2)
        send_bulk(recipients=kenyan_numbers(200), message="x" * 300, organisation=long)
        queue(short, 200)

        for _ in range(9):
            dispatch.run_once("main")

        counts = left_the_queue([long, short])
        assert abs(2 * counts[long.pk] - counts[short.pk]) <= 40


def test_who_comes_back_from_idle_starts_with_the_others_and_not_with_a_credit() -> None:
    with fake_carrier(max_batch=20):
        steady, idle = rich(2)
        queue(steady, 400)
        for _ in range(10):
            dispatch.run_once("main")
        queue(idle, 200)

        for _ in range(6):
            dispatch.run_once("main")

        counts = left_the_queue([steady, idle])
        assert abs((counts[steady.pk] - 200) - counts[idle.pk]) <= 20


def test_high_priority_goes_before_everything_that_waits() -> None:
    with fake_carrier(max_batch=20):
        (organisation,) = rich(1)
        queue(organisation, 400)
        dispatch.run_once("main")
        urgent = rich(1)[0]
        queue(urgent, 15, HIGH)

        dispatch.run_once("main")

        assert left_the_queue([urgent])[urgent.pk] == 15


def test_one_slot_is_kept_for_high_priority() -> None:
    with fake_carrier(max_batch=2, window=3) as house:
        bulk, urgent = rich(2)
        queue(bulk, 20)
        under_way = [dispatch.claim(house.carrier) for _ in range(3)]
        assert [claim is not None for claim in under_way] == [True, True, False]

        queue(urgent, 2, HIGH)
        claim = dispatch.claim(house.carrier)

        assert claim is not None
        assert {row.organisation_id for row in claim.rows} == {urgent.pk}


def test_normal_keeps_a_tenth_of_the_carrier_however_much_is_urgent() -> None:
    with fake_carrier(max_batch=10):
        bulk, urgent = rich(2)
        queue(bulk, 100)
        for _ in range(5):
            queue(urgent, 100, HIGH)

        for _ in range(30):
            dispatch.run_once("main")

        counts = left_the_queue([bulk, urgent])
        assert counts.total() == 300
        assert 30 <= counts[bulk.pk] <= 60


def test_a_request_is_filled_from_the_other_lane() -> None:
    with fake_carrier(max_batch=20):
        bulk, urgent = rich(2)
        queue(bulk, 100)
        queue(urgent, 5, HIGH)

        assert dispatch.run_once("main") == 20

        counts = left_the_queue([bulk, urgent])
        assert (counts[urgent.pk], counts[bulk.pk]) == (5, 15)


def test_runs_that_turn_out_to_have_nothing_due_do_not_hide_the_others() -> None:
    with fake_carrier(max_batch=20) as house:
        waiting, ready = rich(2)
        queue(waiting, 10)
        Message.objects.update(due_at=virtual_clock.now() + dt.timedelta(hours=1))
        queue(ready, 10)

        assert dispatch.run_once("main") == 10

        assert house.total_accepted == 10
        assert left_the_queue([ready])[ready.pk] == 10
        assert Run.objects.get(organisation=waiting).due_at > virtual_clock.now()
