"""The contest in small, and how its figures are counted."""

from __future__ import annotations

import pytest

from tests.versus import ours
from tests.versus.conftest import Open
from tests.versus.contest import Plan
from tests.versus.figures import FAILED, OPEN, SENT, UNKNOWN, Entry, Truth, measure, table

PRICE = 800_000
PLAN = Plan(
    messages=100, chunk=5, workers=3, seed=10, reset=5, silent=0, clock_speed=10, timeout_s=60
)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_retrying_task_sends_twice_where_we_do_not(contest: Open) -> None:
    theirs, mine = contest(PLAN).play()

    assert theirs.duplicates >= PLAN.chunk
    assert theirs.unexplained_cents >= PLAN.chunk * PRICE // 10_000
    assert (mine.duplicates, mine.lost, mine.unexplained_micros) == (0, 0, 0)
    assert mine.unknown > 0
    assert mine.accepted == theirs.accepted == PLAN.messages
    assert ours.faults() == []


def truth(*numbers: str) -> Truth:
    found = Truth()
    for number in numbers:
        found.add(number, "KES 0.8000")
    return found


@pytest.mark.parametrize(
    ("accepted", "entry", "duplicates", "lost", "cents"),
    [
        (1, Entry(SENT, PRICE), 0, 0, 0),
        (2, Entry(SENT, PRICE), 1, 0, 80),
        (1, Entry(UNKNOWN, 0, PRICE), 0, 0, 0),
        (0, Entry(UNKNOWN, 0, PRICE), 0, 0, 0),
        (2, Entry(UNKNOWN, 0, PRICE), 1, 0, 80),
        (0, Entry(SENT, PRICE), 0, 1, 80),
        (0, Entry(OPEN), 0, 1, 0),
        (0, Entry(FAILED), 0, 0, 0),
        (1, Entry(FAILED), 0, 0, 80),
        (0, None, 0, 1, 0),
    ],
)
def test_a_message_is_measured_by_the_carriers_truth(
    accepted: int, entry: Entry | None, duplicates: int, lost: int, cents: int
) -> None:
    books = {} if entry is None else {"254712000001": entry}

    found = measure("a house", ["254712000001"], truth(*["254712000001"] * accepted), books)

    assert (found.duplicates, found.lost, found.unexplained_cents) == (duplicates, lost, cents)
    assert found.is_clean == (not (duplicates or lost or cents))


def test_the_table_has_a_row_per_house() -> None:
    row = measure("a house", ["1", "2"], truth("1", "1"), {"1": Entry(SENT, PRICE)})

    assert table([row]).splitlines() == [
        "+---------+----------+------------+------+---------+-------------------+",
        "| house   | accepted | duplicates | lost | unknown | unexplained cents |",
        "+---------+----------+------------+------+---------+-------------------+",
        "| a house |        1 |          1 |    1 |       0 |                80 |",
        "+---------+----------+------------+------+---------+-------------------+",
    ]
