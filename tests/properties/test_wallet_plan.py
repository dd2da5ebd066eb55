"""The funds rule against an independent reference: which rows money is enough for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulksms.services import wallet
from bulksms.services.wallet import Plan

costs = st.lists(st.none() | st.integers(0, 12), max_size=12)
limits = st.none() | st.integers(0, 60)


def affordable(prices: Sequence[int | None], limit: int | None) -> int:
    """How many of the rows, from the first on, ``limit`` pays for. No loop over the money."""
    if limit is None:
        return len(prices)
    needed = list(accumulate(price or 0 for price in prices))
    return next((index for index, sum_ in enumerate(needed) if sum_ > limit), len(prices))


def reference(prices: Sequence[int | None], available: int | None, cap: int | None) -> Plan:
    by_balance, by_cap = affordable(prices, available), affordable(prices, cap)
    stop = min(by_balance, by_cap)
    total = sum(price or 0 for price in prices[:stop])
    why = None
    if stop < len(prices):
        why = "insufficient_balance" if stop == by_balance else "spend_cap_reached"
    return Plan(
        total_micros=total,
        stopped_at=stop if why else None,
        available_micros=None if available is None else available - total,
        stopped_by=why,  # type: ignore[arg-type]
        cap_left_micros=None if cap is None else cap - total,
    )


def case(draw: random.Random) -> tuple[list[int | None], int | None, int | None]:
    """Few different prices, so that sums meet the limits exactly."""
    prices = [draw.choice([None, 0, 1, 1, 2, 5]) for _ in range(draw.randrange(9))]
    borders = list(accumulate(price or 0 for price in prices)) or [0]
    available, cap = (
        draw.choice([None, 0, max(draw.choice(borders) + draw.choice([-1, 0, 0, 1]), 0)])
        for _ in range(2)
    )
    return prices, available, cap


def test_100_000_seeded_cases_equal_the_reference() -> None:
    draw = random.Random(7)
    seen: dict[str | None, int] = {}
    for number in range(100_000):
        prices, available, cap = case(draw)
        found = wallet.plan(prices, available, cap)
        assert found == reference(prices, available, cap), (number, prices, available, cap)
        seen[found.stopped_by] = seen.get(found.stopped_by, 0) + 1
    assert len(seen) == 3
    assert min(seen.values()) > 10_000, "every outcome is met often"


@given(costs, limits, limits)
def test_a_plan_never_spends_more_than_there_is_and_never_stops_early(
    prices: list[int | None], available: int | None, cap: int | None
) -> None:
    found = wallet.plan(prices, available, cap)

    bounds = [limit for limit in (available, cap) if limit is not None]
    assert all(found.total_micros <= limit for limit in bounds)
    if found.stopped_at is not None:
        stopper = prices[found.stopped_at]
        assert stopper is not None
        assert found.total_micros + stopper > min(bounds)


@pytest.mark.parametrize(
    ("available", "cap", "why", "at"),
    [
        (3, 3, None, None),  # equal to what is left is enough
        (2, 3, "insufficient_balance", 2),
        (3, 2, "spend_cap_reached", 2),
        (2, 2, "insufficient_balance", 2),  # both would stop the same row
        (1, 2, "insufficient_balance", 1),
        (2, 1, "spend_cap_reached", 1),
        (None, 0, "spend_cap_reached", 0),
        (0, None, "insufficient_balance", 0),
        (None, None, None, None),
    ],
)
def test_which_limit_stops(
    available: int | None, cap: int | None, why: str | None, at: int | None
) -> None:
    found = wallet.plan([1, 1, 1], available, cap)

    assert (found.stopped_by, found.stopped_at) == (why, at)


def test_what_is_refused_or_free_neither_costs_nor_stops() -> None:
    assert wallet.plan([None, 0, None, 0], 0, 0) == Plan(0, None, 0, None, 0)


def test_without_a_cap_the_plan_is_as_it_was() -> None:
    assert wallet.plan([2, 2], 3) == Plan(2, 1, 1, "insufficient_balance")
