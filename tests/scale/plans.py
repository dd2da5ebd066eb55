"""What the database does for each statement of a block of code, by its own account.

Every statement is explained with its real parameters just before it runs: EXPLAIN ANALYZE carries
it out, a savepoint takes that back. COPY has no plan and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

EXPLAINED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
#: Rows that were sent along (db.values); which columns are sent once depends on their values.
SENT = re.compile(r"\(SELECT u\.\*.*? AS u\([^)]*\)\) AS v\b", re.DOTALL)
LISTS = re.compile(r"\((?:%s(?:::\w+)?, )+%s(?:::\w+)?\)")


#: To read so small a table from end to end is right, and says nothing of a large one.
SMALL = 15_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One statement: in which step, how many pages and table rows it touched, and how."""

    step: str
    sql: str
    pages: int
    rows: int
    #: Tables, not small ones, that were read from end to end.
    scans: tuple[str, ...]
    plan: dict[str, Any] = field(repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """The same statement in the same step, however long its lists are."""
        return self.step, LISTS.sub("(...)", SENT.sub("(...) AS v", self.sql))


class Watch:
    """Collects the statements of steps. One connection, one thread."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Explain every statement of the block, under this name."""

        def run(
            execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
        ) -> Any:
            if not many and EXPLAINED.match(sql):
                plan = _explain(sql, params)
                found = _pages(plan), sum(_rows(plan)), tuple(_scans(plan))
                self.seen.append(Seen(name, sql, *found, plan))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(run):
            yield


def _explain(sql: str, params: Sequence[Any] | None) -> dict[str, Any]:
    begin, back = (
        ("SAVEPOINT explained", "ROLLBACK TO SAVEPOINT explained; RELEASE SAVEPOINT explained")
        if connection.in_atomic_block
        else ("BEGIN", "ROLLBACK")
    )
    with connection.connection.cursor() as cursor:
        cursor.execute(begin)
        try:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params or None)
            plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
        finally:
            cursor.execute(back)
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _pages(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def _read(node: dict[str, Any]) -> int:
    """Rows that a scan looked at, those that it threw away included."""
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round((node["Actual Rows"] + thrown) * node["Actual Loops"])


def _rows(plan: dict[str, Any]) -> Iterator[int]:
    for node in _nodes(plan):
        if "Relation Name" in node and node["Node Type"] != "ModifyTable":
            small = node["Node Type"] == "Seq Scan" and _read(node) < SMALL
            yield 0 if small else _read(node)


def _scans(plan: dict[str, Any]) -> Iterator[str]:
    for node in _nodes(plan):
        if node["Node Type"] == "Seq Scan" and _read(node) >= SMALL:
            yield str(node["Relation Name"])
