"""A series: one send that is too large for a request, as campaigns of up to 10,000 in a row.

Its ``key`` names it for ever. Each campaign carries the reference ``<key>#<number>``, which the
database keeps unique, and says in its metadata how far it came; so a send that was broken off goes
on after its last campaign, and nothing of it is sent twice, however it ended.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Sum

from bulksms import clock, conf, money
from bulksms.exceptions import Conflict, FieldError, InvalidRequest
from bulksms.models import Campaign, Hold, Message, Organisation
from bulksms.models.outbox import NORMAL
from bulksms.services import intake, sending, validation
from bulksms.services.labels import Own
from bulksms.services.outbox import Draft
from bulksms.services.sending import BulkResult
from bulksms.services.validation import REJECT, BulkRequest

MAX_CHUNK = 10_000
#: Beside the key, a reference holds "#" and the number; a reference has 255 characters.
MAX_KEY = 240
#: In a campaign's metadata: how far in its source it came.
LAST = "series_last"
_AT_ONCE = 200


def chunk_size() -> int:
    """Recipients of one campaign of a series."""
    return min(MAX_CHUNK, conf.settings.MAX_RECIPIENTS)


@dataclass(frozen=True, slots=True)
class Options:
    """What is the same for all campaigns of a series; as for ``send_bulk``.

    ``message`` is their common text (with placeholders), None where each item has its own.
    ``max_cost`` is for the whole series, earlier campaigns included.
    """

    message: str | None = field(default=None, repr=False)
    sender_id: str | None = None
    scheduled_at: dt.datetime | None = None
    priority: str = NORMAL
    name: str = ""
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    max_cost: str | None = None
    sensitive: bool = False

    def request(self, messages: Sequence[Mapping[str, Any]]) -> BulkRequest:
        """A request to check, in which no item counts as a duplicate of another."""
        own = [Own(self.sender_id)] * len(messages)
        return BulkRequest(
            messages=messages, message=self.message, sender_id=self.sender_id, own=own,
            scheduled_at=self.scheduled_at, priority=self.priority, max_cost=self.max_cost,
        )  # fmt: skip


# Looking at rows


class Seen:
    """Remembers what was there before: 16 bytes each, in a file of its own that goes with it."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE seen (what BLOB PRIMARY KEY) WITHOUT ROWID")

    def close(self) -> None:
        self._file.close()

    def add(self, pairs: Iterable[tuple[str, str]]) -> list[bool]:
        """Note (number, text) pairs; for each whether it is new."""
        with closing(self._file.cursor()) as cursor:
            cursor.execute("BEGIN")
            new = [
                cursor.execute("INSERT OR IGNORE INTO seen VALUES (?)", (_mark(*pair),)).rowcount
                for pair in pairs
            ]
            cursor.execute("COMMIT")
        return [bool(count) for count in new]


def _mark(number: str, text: str) -> bytes:
    what = f"{number} {text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(what, digest_size=16).digest()


class Look(NamedTuple):
    """What would become of one item. A duplicate has the number and the text of an earlier one."""

    draft: Draft
    is_duplicate: bool


class Looker:
    """Looks at the items of a series, chunk by chunk, and adds up what they would cost."""

    def __init__(self, organisation: Organisation, options: Options) -> None:
        self._organisation, self._options = organisation, options
        self._seen = Seen()
        self.currency = ""
        self.sendable = self.refused = self.duplicates = self.units = 0
        self.cost_micros = 0
        self.max_cost_micros: int | None = None

    def __enter__(self) -> Looker:
        return self

    def __exit__(self, *_error: object) -> None:
        self._seen.close()

    def remember(self, campaigns: Sequence[UUID]) -> None:
        """What these campaigns have is there already."""
        rows = Message.objects.filter(campaign_id__in=list(campaigns)).exclude(number="")
        pairs = rows.values_list("number", "text").iterator(chunk_size=MAX_CHUNK)
        self._seen.add((number, text or "") for number, text in pairs)

    def look(self, messages: Sequence[Mapping[str, Any]]) -> list[Look]:
        """A look at each item, in order. Raises InvalidRequest for what is wrong with all."""
        request = self._options.request(messages)
        terms, found, self.currency = intake.prepare(self._organisation, request, clock.now())
        self.max_cost_micros = terms.max_cost_micros
        good = [draft for draft in found.rows if not draft.error]
        is_new = iter(self._seen.add((draft.number, draft.text or "") for draft in good))
        looks = [Look(draft, not draft.error and not next(is_new)) for draft in found.rows]
        for look in looks:
            self._count(look)
        return looks

    def _count(self, look: Look) -> None:
        if look.is_duplicate:
            self.duplicates += 1
        elif look.draft.error:
            self.refused += 1
        else:
            self.sendable += 1
            self.units += look.draft.units
            self.cost_micros += look.draft.cost_micros


# Sending them


@dataclass(slots=True)
class Series:
    """The campaigns of ``key`` so far. ``last``: where the last of them ended; None: nowhere."""

    organisation: Organisation
    key: str
    campaigns: list[UUID] = field(default_factory=list)
    last: str | None = None
    #: Recipients and cost of campaigns that an earlier call made.
    earlier: int = 0
    earlier_micros: int = 0
    #: Of this call.
    queued: int = 0
    failed: int = 0
    cost_micros: int = 0

    def send(
        self, items: Sequence[Any], options: Options, *, last: object, budget_micros: int | None
    ) -> BulkResult:
        """One more campaign; ``last`` says where the next one goes on. All or nothing.

        ``items`` are recipients, or messages as of ``send_bulk``. ``budget_micros``: the most that
        the whole series may cost. Raises as ``send_bulk`` does, PaymentRequired also for want of
        money; Conflict when somebody else sends the same series at this moment.
        """
        has_own = isinstance(items[0], Mapping)
        request = BulkRequest(
            recipients=None if has_own else items, messages=items if has_own else None,
            message=options.message, sender_id=options.sender_id,
            scheduled_at=options.scheduled_at, priority=options.priority, name=options.name,
            tags=tuple(options.tags), metadata={**options.metadata, LAST: str(last)},
            reference=f"{self.key}#{len(self.campaigns) + 1}", on_insufficient_funds=REJECT,
            max_cost=self._left(budget_micros), sensitive=options.sensitive,
        )  # fmt: skip
        try:
            result = sending.send(self.organisation, request)
        except InvalidRequest as error:
            if validation.REFERENCE_TAKEN in error.errors:
                raise Conflict(_BUSY, code="already_sending") from error
            raise
        self._add(result, str(last))
        return result

    def _left(self, budget_micros: int | None) -> str | None:
        if budget_micros is None:
            return None
        return money.amount(max(0, budget_micros - self.earlier_micros - self.cost_micros))

    def _add(self, result: BulkResult, last: str) -> None:
        self.campaigns.append(result.id)
        self.last = last
        self.queued += result.queued
        self.failed += result.failed
        self.cost_micros += result.total_cost_micros


_BUSY = "The same is being sent by somebody else at this moment. Nothing is sent twice."


def find(organisation: Organisation, key: str) -> Series:
    """The series of that key, as far as it was sent. Raises InvalidRequest for an unusable key."""
    if not 0 < len(key) <= MAX_KEY or "\x00" in key:
        detail = f"A key has 1 to {MAX_KEY} characters."
        raise InvalidRequest([FieldError("key", "invalid_key", detail)])
    series = Series(organisation, key)
    while some := _next(series):
        for id_, metadata, recipients in some:
            series.campaigns.append(id_)
            series.last = str(metadata.get(LAST, ""))
            series.earlier += recipients
    held = Hold.objects.filter(campaign_id__in=series.campaigns, round=0)
    series.earlier_micros = held.aggregate(sum=Sum("held_micros"))["sum"] or 0
    return series


def _next(series: Series) -> list[tuple[UUID, Mapping[str, Any], int]]:
    """The next campaigns in order. By their whole references: those have an index."""
    start = len(series.campaigns) + 1
    names = [f"{series.key}#{number}" for number in range(start, start + _AT_ONCE)]
    found = Campaign.objects.filter(organisation=series.organisation, reference__in=names)
    rows = found.values_list("reference", "id", "metadata", "recipients_count")
    by_name = {name: (id_, metadata, count) for name, id_, metadata, count in rows}
    return [by_name[name] for name in names if name in by_name]
