"""The statement: every movement of an organisation's balance, in order, page by page.

A campaign's lines add up to what it cost: its hold, less its releases and refunds. (Captures do not
move the balance; they are in the ledger, under their hold.)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from bulksms.models import LedgerEntry, Organisation
from bulksms.models.wallet import AVAILABLE, MOVEMENTS

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One movement: ``amount_micros`` has its sign, ``balance_micros`` is what was there after."""

    seq: int
    at: dt.datetime
    kind: str
    amount_micros: int
    balance_micros: int
    campaign_id: UUID | None
    key: str
    note: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One page. ``next_seq`` is the ``after_seq`` of the next one; None = this was the last."""

    lines: list[Line]
    next_seq: int | None


_COLUMNS = (
    "seq", "created_at", "source", "target", "amount_micros", "available_after_micros",
    "hold__campaign_id", "key", "note",
)  # fmt: skip


def statement(organisation: Organisation, *, after_seq: int = 0, limit: int = 100) -> Statement:
    """The ``limit`` lines after number ``after_seq``, oldest first (the last page is as fast)."""
    entries = LedgerEntry.objects.filter(wallet__organisation=organisation, seq__gt=after_seq)
    rows = list(entries.order_by("seq").values_list(*_COLUMNS)[: limit + 1])
    lines = [_line(*row) for row in rows[:limit]]
    return Statement(lines, lines[-1].seq if len(rows) > limit else None)


def _line(
    seq: int, at: dt.datetime, source: str, target: str, amount: int, after: int,
    campaign: UUID | None, key: str, note: str,
) -> Line:  # fmt: skip
    signed = amount if target == AVAILABLE else -amount
    return Line(seq, at, MOVEMENTS[source, target], signed, after, campaign, key, note)


def lines(organisation: Organisation) -> Iterator[Line]:
    """The whole statement, a page at a time in memory."""
    after: int | None = 0
    while after is not None:
        page = statement(organisation, after_seq=after, limit=_PAGE)
        yield from page.lines
        after = page.next_seq
