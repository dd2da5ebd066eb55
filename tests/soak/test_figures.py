"""A soak that missed something says so in its last line, whatever else went well."""

from __future__ import annotations

from tests.soak import figures
from tests.soak.deeds.engine import POINTS

#: Everything that must happen, often enough, in one minute and a half.
ALL = {
    **dict.fromkeys((*figures.TRIGGERS, *figures.MOVES, *figures.FORBIDDEN), 1),
    **{f"crash: {point}": figures.CRASHES for point in POINTS},
    "examples": 300,
}


def last_line(found: dict[str, int], *, strict: bool = True) -> str:
    return [*figures.verdict(found, 90, strict=strict)][-1]


def test_all_that_is_listed_happened() -> None:
    assert figures.missing(ALL) == []
    assert last_line(ALL).startswith("PASSED: ")


def test_whatever_is_missing_is_named_and_fails_a_long_soak() -> None:
    found = {**ALL, "retried": 0, "crash: before tx3": 19}

    assert figures.missing(found) == ["retried", "crash: before tx3, 19 of 20"]
    assert last_line(found) == "FAILED: 2 missing"
    assert last_line(found, strict=False).startswith("PASSED, but 2 missing")


def test_the_pace_is_compared_with_its_goal() -> None:
    fast, slow = ([*figures.verdict(ALL, seconds, strict=True)] for seconds in (90, 900))

    assert "200 examples a minute, the goal is 100" in fast
    assert "20 examples a minute, BELOW the goal of 100" in slow
