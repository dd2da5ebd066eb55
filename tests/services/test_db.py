"""Values on their way into SQL and back, the same on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from bulksms import db

pytestmark = pytest.mark.django_db

MOMENTS = [
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.datetime(2026, 2, 3, 4, 5, 6, 120_000, tzinfo=dt.UTC),
    dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
]
TEXTS = [
    "", "plain", 'a "quoted" word', "back\\slash", "{a,b}", "NULL", "null", "comma, brace}", "'",
    "two\nlines", "tab\t", "é 😀", '\\"', " spaces ",
]  # fmt: skip
IDS = [UUID(int=0), UUID(int=1), UUID(int=2**128 - 1)]


def through(kind: str, column: list[Any]) -> list[Any]:
    """The values as the database gives them back, in order."""
    source, params = db.values({"n": db.INT, "x": kind}, list(enumerate(column)))
    return [row[0] for row in db.fetch(f"SELECT x FROM {source} ORDER BY n", params, (kind,))]


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (db.TEXT, TEXTS),
        (db.TEXT, ["same"] * 3),
        (db.TEXT, ["a", None, 'b"']),
        (db.TEXT, ["a", "b", "a"]),  # the first is the last and the column is not constant
        (db.UUID_, IDS),
        (db.UUID_, [IDS[0], None, IDS[1]]),
        (db.UUID_, [None, None]),
        (db.INT, [0, -1, 2**62, None]),
        (db.TIME, MOMENTS),
        (db.TIME, [MOMENTS[0], None]),
        (db.BOOL, [True, False, None]),
    ],
)
def test_what_goes_in_comes_out(kind: str, column: list[Any]) -> None:
    assert through(kind, column) == column


def test_moments_come_in_utc() -> None:
    (moment,) = through(
        db.TIME, [dt.datetime(2026, 1, 1, 3, tzinfo=dt.timezone(dt.timedelta(hours=3)))]
    )

    assert moment == MOMENTS[0]
    assert moment.utcoffset() == dt.timedelta(0)


@pytest.mark.postgres
def test_moments_are_read_whatever_the_time_zone_of_the_connection() -> None:
    for zone in ("Africa/Nairobi", "Asia/Kolkata", "America/St_Johns"):
        db.fetch("SELECT set_config('TimeZone', %s, true)", (zone,), (db.TEXT,))
        assert through(db.TIME, MOMENTS[:4]) == MOMENTS[:4]


@pytest.mark.postgres
def test_a_nul_moves_no_text_into_its_neighbour() -> None:
    with pytest.raises(ValueError, match="NUL"):
        through(db.TEXT, ["a\0b", "c"])


@pytest.mark.parametrize(("kind", "column"), [(db.TEXT, TEXTS), (db.UUID_, IDS), (db.INT, [1, 2])])
def test_a_list_matches_its_own_values_only(kind: str, column: list[Any]) -> None:
    source, params = db.values({"n": db.INT, "x": kind}, list(enumerate(column)))
    for wanted in ([], column[:1], column):
        those, those_params = db.matching("x", kind, wanted)
        sql = f"SELECT x FROM {source} WHERE {those} ORDER BY n"
        found = [row[0] for row in db.fetch(sql, [*params, *those_params], (kind,))]
        assert found == wanted
