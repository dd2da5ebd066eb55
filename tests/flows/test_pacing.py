"""Pace: a carrier is asked as fast as it allows and no faster, in parts, by however many."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from bulksms import send_bulk, states
from bulksms.models import CarrierState, Message
from bulksms.services import dispatch, reconcile
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db

ALLOWED, SECONDS = 50, 15
THROTTLE = [{"match": {}, "throttle": {"parts_per_second": ALLOWED, "burst": ALLOWED}}]


def keep_asking(seconds: float) -> None:
    """Workers that come whenever they are woken, and once a second by the tick, for so long."""
    end = virtual_clock.now().timestamp() + seconds
    while (left := end - virtual_clock.now().timestamp()) > 0:
        while dispatch.run_once("main"):
            pass
        due = reconcile.next_due_at(virtual_clock.now())
        step = (due - virtual_clock.now()).total_seconds() if due else left
        virtual_clock.advance(seconds=min(step, 1.0, left))


def throttled() -> int:
    return Message.objects.filter(error="throttled").count()


def parts_sent() -> int:
    sent = Message.objects.exclude(status=states.QUEUED)
    return sent.aggregate(parts=Sum("units"))["parts"] or 0


@pytest.mark.parametrize(
    ("text", "max_batch"), [("Hi", 10), ("x" * 300, 5)], ids=["one part", "two parts"]
)
def test_the_cap_is_used_and_never_exceeded(text: str, max_batch: int) -> None:
    organisation = make_organisation(balance_micros=10**12)
    for _ in range(2):
        send_bulk(recipients=kenyan_numbers(500), message=text, organisation=organisation)
    with fake_carrier(rules=THROTTLE, parts_per_second=ALLOWED, max_batch=max_batch) as house:
        keep_asking(SECONDS)

        assert throttled() == 0
        assert 0.9 * ALLOWED * SECONDS <= parts_sent() <= ALLOWED * SECONDS + ALLOWED
        assert house.duplicates[0] == 0


def test_without_a_pace_the_same_carrier_throttles_us() -> None:
    """Should this fail one day, the tests above prove nothing any more."""
    organisation = make_organisation(balance_micros=10**12)
    send_bulk(recipients=kenyan_numbers(500), message="Hi", organisation=organisation)
    with fake_carrier(rules=THROTTLE, max_batch=10):
        keep_asking(1)

        assert throttled() > 0


def test_a_throttled_message_waits_and_is_sent_and_the_carrier_is_left_alone_for_longer() -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=organisation)
    rules = [{"refuse": {"code": "throttled", "tries": 3}}]
    with fake_carrier(rules=rules) as house:
        waits = []
        for _ in range(3):
            dispatch.run_once("main")
            state = CarrierState.objects.get()
            assert state.slow_until is not None
            waits.append((state.slow_until - virtual_clock.now()).total_seconds())
            virtual_clock.advance(seconds=waits[-1])
        house.run()

        assert waits == sorted(waits)
        assert waits[2] > 3 * waits[0]
        assert set(Message.objects.values_list("status", flat=True)) == {states.DELIVERED}
        assert CarrierState.objects.get().strikes == 0


@pytest.mark.parametrize("retry_after", ["right", "missing", "date", "lying"])
def test_whatever_a_carrier_says_of_retry_after_everything_is_sent(retry_after: str) -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(60), message="Hi", organisation=organisation)
    throttle = {
        "parts_per_second": 10, "burst": 10, "retry_after": retry_after, "per": "request",
    }  # fmt: skip
    with fake_carrier(rules=[{"match": {}, "throttle": throttle}], max_batch=10) as house:
        for _ in range(60):
            house.run(seconds=60)
            if house.total_accepted == 60:
                break

        assert house.total_accepted == 60
        assert house.duplicates[0] == 0


def test_a_text_longer_than_the_pace_of_a_second_still_leaves() -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(2), message="x" * 1_000, organisation=organisation)
    with fake_carrier(parts_per_second=2) as house:
        keep_asking(12)

        assert house.total_accepted == 2


def test_an_idle_carrier_gathers_no_more_than_its_burst() -> None:
    organisation = make_organisation()
    with fake_carrier(parts_per_second=ALLOWED, max_batch=100):
        send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=organisation)
        dispatch.run_once("main")
        virtual_clock.advance(hours=1)
        send_bulk(recipients=kenyan_numbers(500), message="Hi", organisation=organisation)

        while dispatch.run_once("main"):
            pass

        assert parts_sent() - 1 <= ALLOWED / 2


def test_whoever_finds_the_pace_used_up_plans_one_nudge_and_not_many() -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(100), message="Hi", organisation=organisation)
    with fake_carrier(parts_per_second=ALLOWED, max_batch=10):
        while dispatch.run_once("main"):
            pass
        planned = CarrierState.objects.get().waking_at
        assert planned is not None
        assert planned > virtual_clock.now()

        dispatch.run_once("main")

        assert CarrierState.objects.get().waking_at == planned
