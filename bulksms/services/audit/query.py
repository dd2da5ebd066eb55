"""How a check looks for faults: one SQL statement that finds wrong rows, and the words for them.

The database does the counting and the grouping; at most ``limit`` faults with a few row ids each
ever reach this process, however many rows there are and however many of them are wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bulksms import db

#: Row ids that one fault names; the rest is counted.
IDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise. ``what`` holds states and amounts (micros), never numbers or texts."""

    check: str
    #: What the rows are: "message", "wallet", ...
    noun: str
    ids: tuple[str, ...]
    #: Wrong rows beyond ``ids``.
    more: int
    what: str

    def __str__(self) -> str:
        noun = f"{self.noun}s".replace("entrys", "entries") if len(self.ids) > 1 else self.noun
        more = f" and {self.more} more" if self.more else ""
        return f"{self.check}: {noun} {', '.join(self.ids)}{more}: {self.what}"


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found: the first faults, and how many more there are."""

    check: str
    faults: Sequence[Fault]
    hidden: int = 0


def _nothing(_now: dt.datetime) -> Sequence[Any]:
    return ()


@dataclass(frozen=True, slots=True)
class Query:
    """SQL of two columns: ``id`` of a wrong row (of type ``kind``) and ``what`` is wrong with it.

    Rows with the same ``what`` are one fault.
    """

    noun: str
    kind: str
    sql: str
    params: Callable[[dt.datetime], Sequence[Any]] = _nothing


_FIRST = """
SELECT what, id, total, faults FROM (
  SELECT what, id, total, place,
    sum(CASE WHEN place = 1 THEN 1 ELSE 0 END) OVER () AS faults
  FROM (
    SELECT what, id, count(*) OVER (PARTITION BY what) AS total,
      row_number() OVER (PARTITION BY what ORDER BY id) AS place
    FROM ({sql}) AS found
  ) AS placed
) AS counted
WHERE place <= %s ORDER BY what, place LIMIT %s
"""


def run(check: str, query: Query, now: dt.datetime, limit: int) -> Result:
    """The first ``limit`` faults that ``query`` finds."""
    kinds = (db.TEXT, query.kind, db.INT, db.INT)
    params = (*query.params(now), IDS_SHOWN, IDS_SHOWN * limit)
    rows = db.fetch(_FIRST.format(sql=query.sql), params, kinds)
    faults = []
    for what, those in groupby(rows, key=lambda row: str(row[0])):
        found = list(those)
        ids = tuple(str(row[1]) for row in found)
        faults.append(Fault(check, query.noun, ids, int(found[0][2]) - len(ids), what))
    total = int(rows[0][3]) if rows else 0
    return Result(check, faults[:limit], total - len(faults[:limit]))


# Words in SQL


def cases(wrong: Mapping[str, str]) -> tuple[str, str]:
    """``{condition: what it means}`` as a WHERE condition, and as the words for the first one."""
    words = " ".join(f"WHEN {condition} THEN {what}" for condition, what in wrong.items())
    return " OR ".join(f"({condition})" for condition in wrong), f"CASE {words} END"


def unequal(pairs: Mapping[str, tuple[str, str]], theirs: str) -> tuple[str, str]:
    """``{name: (column, what it should be)}`` as a WHERE condition and as words for the faulty."""
    condition = " OR ".join(f"{said} <> {found}" for said, found in pairs.values())
    words = " || ".join(
        f"CASE WHEN {said} <> {found} THEN '{name} ' || {said} || ', {theirs} ' || ({found})"
        " || '; ' ELSE '' END"
        for name, (said, found) in pairs.items()
    )
    return condition, f"rtrim({words}, '; ')"
