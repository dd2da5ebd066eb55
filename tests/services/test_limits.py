"""Request limits are exact: in any 60 seconds, wherever they begin, the limit and not one more."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from bulksms import clock
from bulksms.exceptions import RateLimited
from bulksms.models import RateWindow
from bulksms.services import limits
from bulksms.testing import virtual_clock

MINUTE = 60_000_000


def passes(name: str = limits.SEND_BULK, subject: object = 1) -> bool:
    try:
        limits.take(name, subject)
    except RateLimited:
        return False
    return True


class ReferenceLog:
    """What is right, in the plainest words: every accepted moment, searched from the start."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.accepted: list[int] = []

    def admit(self, now: int) -> bool:
        recent = [moment for moment in self.accepted if moment > now - MINUTE]
        if len(recent) >= self.limit:
            return False
        self.accepted.append(now)
        return True

    @property
    def most_in_any_window(self) -> int:
        return max(
            (
                sum(0 <= later - first < MINUTE for later in self.accepted)
                for first in self.accepted
            ),
            default=0,
        )


def schedule(rng: random.Random, requests: int) -> list[int]:
    """Moments that rise: bursts, trickles, and exact distances of a window."""
    now, moments = 1_000_000_000, []
    for _ in range(requests):
        kind = rng.random()
        if kind < 0.4:
            now += rng.randrange(0, 50_000)
        elif kind < 0.8:
            now += rng.randrange(0, 20_000_000)
        else:
            now += rng.choice([0, 1, MINUTE - 1, MINUTE, MINUTE + 1, MINUTE // 2])
        moments.append(now)
    return moments


def test_the_rule_agrees_with_a_reference_log_on_1000_random_schedules() -> None:
    refused = 0
    for seed in range(1_000):
        rng = random.Random(seed)
        limit = rng.choice([1, 2, 5, 20])
        reference = ReferenceLog(limit)
        hits: list[int] = []
        for now in schedule(rng, 60):
            expected = reference.admit(now)
            assert limits.admit(hits, now, limit) == expected, (seed, now)
            refused += not expected
        assert reference.most_in_any_window <= limit
    assert refused > 5_000


@pytest.mark.django_db
def test_the_stored_window_agrees_with_it_too(settings: Any) -> None:
    """Some of the same schedules, shorter, through the table and the clock."""
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {limits.READ: 3}}
    start = clock.now()
    refused = 0
    for seed in range(150):
        reference = ReferenceLog(3)
        for now in schedule(random.Random(seed), 8):
            virtual_clock.reset()
            virtual_clock.advance(microseconds=now)
            expected = reference.admit(now)
            assert passes(limits.READ, seed) == expected, (seed, now)
            refused += not expected
    assert clock.now() > start
    assert refused > 75


@pytest.mark.django_db
def test_sixty_at_once_then_none_for_a_minute_then_sixty() -> None:
    at_zero = [passes() for _ in range(61)]
    virtual_clock.advance(seconds=30)
    at_thirty = [passes() for _ in range(60)]
    virtual_clock.advance(seconds=29, microseconds=999_999)
    just_before = [passes() for _ in range(60)]
    virtual_clock.advance(microseconds=1)
    at_sixty = [passes() for _ in range(61)]

    assert at_zero == [True] * 60 + [False]
    assert not any(at_thirty)
    assert not any(just_before)
    assert at_sixty == [True] * 60 + [False]


@pytest.mark.django_db
def test_waiting_as_long_as_it_says_is_enough_and_a_second_less_is_not() -> None:
    for _ in range(60):
        passes()
        virtual_clock.advance(milliseconds=300)
    with pytest.raises(RateLimited) as refusal:
        limits.take(limits.SEND_BULK, 1)

    wait = refusal.value.retry_after_s
    virtual_clock.advance(seconds=wait - 1)
    too_early = passes()
    virtual_clock.advance(seconds=1)

    assert wait == 42
    assert not too_early
    assert passes()


@pytest.mark.django_db
def test_refused_requests_do_not_count() -> None:
    for _ in range(60):
        passes()
    for _ in range(50):
        virtual_clock.advance(seconds=1)
        assert not passes()
    virtual_clock.advance(seconds=10)

    assert all(passes() for _ in range(60))


@pytest.mark.django_db
def test_what_remains_and_when_there_is_more() -> None:
    first = limits.take(limits.SEND_BULK, 1)
    virtual_clock.advance(seconds=10)
    second = limits.take(limits.SEND_BULK, 1)

    assert first == limits.Window(limits.SEND_BULK, 60, 59, 60)
    assert second == limits.Window(limits.SEND_BULK, 60, 58, 50)
    assert limits.look(limits.SEND_BULK, 1) == second
    assert limits.look(limits.SEND_BULK, 2) == limits.Window(limits.SEND_BULK, 60, 60, 0)


@pytest.mark.django_db
def test_subjects_and_limits_do_not_share() -> None:
    for _ in range(60):
        passes()

    assert not passes()
    assert passes(subject=2)
    assert passes(limits.SEND)


@pytest.mark.django_db
def test_a_limit_can_be_lower_or_off(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {"send-bulk": 2, "read": None}}

    assert [passes() for _ in range(3)] == [True, True, False]
    assert limits.take(limits.READ, 1) is None
    assert not RateWindow.objects.filter(key="read/1").exists()


@pytest.mark.django_db
def test_a_limit_that_is_lowered_counts_what_was_let_through_before(settings: Any) -> None:
    for _ in range(5):
        passes()
        virtual_clock.advance(seconds=1)

    for limit, wait in ((5, 55), (3, 57), (1, 59), (0, 60)):
        settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {"send-bulk": limit}}
        with pytest.raises(RateLimited) as refusal:
            limits.take(limits.SEND_BULK, 1)
        assert refusal.value.retry_after_s == wait


@pytest.mark.django_db
def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    virtual_clock.advance(days=365)
    for _ in range(60):
        passes()
    virtual_clock.reset()

    assert passes()


@pytest.mark.django_db
def test_rows_that_say_nothing_any_more_are_pruned() -> None:
    passes()
    virtual_clock.advance(minutes=59)
    passes(subject=2)

    assert limits.prune(clock.now()) == 0
    virtual_clock.advance(minutes=2)
    assert limits.prune(clock.now()) == 1
    assert RateWindow.objects.get().key == "send-bulk/2"


def test_a_hit_is_remembered_to_the_microsecond() -> None:
    moment = dt.datetime(2026, 1, 5, 9, 0, 0, 123_456, tzinfo=dt.UTC)
    hits: list[int] = []
    micros = int(moment.timestamp()) * 1_000_000 + 123_456

    assert limits.admit(hits, micros, 1)
    assert not limits.admit(hits, micros + MINUTE - 1, 1)
    assert limits.admit(hits, micros + MINUTE, 1)
