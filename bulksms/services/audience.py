"""Sending to the rows of a QuerySet, in chunks: as many as there are, in flat memory."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldError as NoSuchField
from django.db.models import Model, QuerySet

from bulksms import ids
from bulksms.models import Organisation
from bulksms.models.outbox import NORMAL
from bulksms.services import organisations, series
from bulksms.services.series import Looker, Options
from bulksms.sms import templates

Context = Callable[[Any], Mapping[str, object]] | Sequence[str] | None
Item = tuple[Any, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who gets the text: the rows of ``queryset``, each once, in the order of their keys.

    ``phone`` and ``context`` are names of fields ("owner__phone" follows a relation), or functions
    of a row: its number; a mapping of its placeholders. No ``context``: the fields that the
    placeholders name.
    """

    queryset: QuerySet[Any] = field(repr=False)
    message: str = field(repr=False)
    phone: str | Callable[[Any], object] = "phone"
    context: Context = None

    def chunks(self, after: str | None, size: int) -> Iterator[list[Item]]:
        """(key, item of ``send_bulk``) pairs, after the row ``after``. Raises ValueError."""
        if self.queryset.query.is_sliced:
            raise ValueError("A sliced QuerySet cannot be gone through: filter it by its keys.")
        rows = self.queryset.order_by("pk")
        last = None if after is None else self.queryset.model._meta.pk.to_python(after)
        while found := self._read(rows if last is None else rows.filter(pk__gt=last), size):
            last = found[-1][0]
            yield found

    def _read(self, rows: QuerySet[Any], size: int) -> list[Item]:
        if callable(self.phone) or callable(self.context):
            return [(row.pk, self._item(row)) for row in rows[:size]]
        names = self._names()
        try:
            found = list(rows.values_list("pk", self.phone, *names)[:size])
        except NoSuchField as error:
            raise ValueError(f"{error} Give a function as phone or context.") from error
        return [
            (pk, {"to": _number(phone), "variables": _variables(zip(names, values, strict=True))})
            for pk, phone, *values in found
        ]

    def _names(self) -> tuple[str, ...]:
        if self.context is None or callable(self.context):
            return templates.compile(self.message).names
        return tuple(self.context)

    def _item(self, row: Model) -> dict[str, Any]:
        phone = self.phone(row) if callable(self.phone) else _follow(row, self.phone)
        if callable(self.context):
            values = dict(self.context(row))
        else:
            values = {name: _follow(row, name) for name in self._names()}
        return {"to": _number(phone), "variables": _variables(values.items())}


def _follow(row: Any, path: str) -> Any:
    """``owner__phone`` of a row; None where a relation is empty."""
    for name in path.split("__"):
        row = None if row is None else getattr(row, name)
    return row


def _number(phone: object) -> str:
    return "" if phone is None else str(phone)


def _variables(pairs: Any) -> dict[str, object]:
    """Dates and amounts as text; what is None is missing, and its row refused."""
    return {
        name: value if isinstance(value, str | int) and not isinstance(value, bool) else str(value)
        for name, value in pairs
        if value is not None
    }


@dataclass(frozen=True, slots=True)
class Preview:
    """What sending would do now. Money in micros of ``currency``; ``refused``: error -> rows."""

    rows: int
    sendable: int
    duplicates: int
    units: int
    cost_micros: int
    currency: str
    refused: Mapping[str, int]
    #: Why, for the first rows: (key of the row, sentence).
    faults: Sequence[tuple[object, str]] = ()


@dataclass(frozen=True, slots=True)
class SentTo:
    """What became of it. ``earlier``: recipients that a call before had, with the same key.

    ``duplicates``: rows left out because a row before had the same number and text.
    """

    key: str
    campaigns: Sequence[UUID]
    queued: int
    failed: int
    duplicates: int
    earlier: int
    total_cost_micros: int


#: Rows that a preview names.
FAULTS_SHOWN = 20


def preview_to(
    audience: Audience, *, organisation: Organisation | None = None, sender_id: str | None = None
) -> Preview:
    """Price it for every row; nothing is stored or sent. Raises InvalidRequest, ValueError."""
    owner = organisation or organisations.house()
    refused: Counter[str] = Counter()
    faults: list[tuple[object, str]] = []
    rows = 0
    with Looker(owner, Options(audience.message, sender_id)) as looker:
        for chunk in audience.chunks(None, series.chunk_size()):
            rows += len(chunk)
            for (pk, _), look in zip(chunk, looker.look([i for _, i in chunk]), strict=True):
                if look.draft.error:
                    refused[look.draft.error] += 1
                    faults += [(pk, look.draft.detail)] if len(faults) < FAULTS_SHOWN else []
        return Preview(
            rows, looker.sendable, looker.duplicates, looker.units, looker.cost_micros,
            looker.currency, refused, faults,
        )  # fmt: skip


def send_to(
    queryset: QuerySet[Any],
    phone: str | Callable[[Any], object] = "phone",
    message: str = "",
    context: Context = None,
    *,
    key: str = "",
    organisation: Organisation | None = None,
    sender_id: str | None = None,
    scheduled_at: dt.datetime | None = None,
    priority: str = NORMAL,
    name: str = "",
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    max_cost: Decimal | str | None = None,
    sensitive: bool = False,
    progress: Callable[[int], object] | None = None,
) -> SentTo:
    """Text every row of ``queryset``: ``send_to(Customer.objects.all(), message="Hi {name}")``.

    ``phone`` names the field with the number, ``context`` the fields for the placeholders (none
    given: the placeholders' own names); either may be a function of a row. Rows go in chunks of
    10,000 by primary key, each a campaign of its own and a transaction of its own, unless you are
    in one. A row with a bad number or an empty field is refused alone.

    With a ``key`` (your name for this send, for ever) a repeat goes on after the last chunk: nobody
    gets it twice, rows with higher keys that were added since get it too. ``max_cost`` is for all
    of it; ``sensitive`` is as for ``send_bulk``. ``progress(n)`` is called after every chunk of
    ``n`` rows.

    Raises ValueError and as ``send_bulk`` does; PaymentRequired before the first chunk that the
    wallet cannot pay: what went before is sent, top up and repeat.
    """
    owner = organisation or organisations.house()
    audience = Audience(queryset, message, phone, context)
    options = Options(
        message, sender_id, scheduled_at, priority, name, tags, metadata or {},
        None if max_cost is None else str(max_cost), sensitive,
    )  # fmt: skip
    sent = series.find(owner, key or f"send_to:{ids.new()}")
    with Looker(owner, options) as looker:
        looker.remember(sent.campaigns)
        for chunk in audience.chunks(sent.last, series.chunk_size()):
            _send_chunk(sent, looker, options, chunk)
            if progress is not None:
                progress(len(chunk))
        return SentTo(
            sent.key, tuple(sent.campaigns), sent.queued, sent.failed, looker.duplicates,
            sent.earlier, sent.cost_micros,
        )  # fmt: skip


def _send_chunk(
    sent: series.Series, looker: Looker, options: Options, chunk: Sequence[Item]
) -> None:
    """One campaign of those in the chunk who did not get this text before."""
    looks = looker.look([item for _, item in chunk])
    items = [item for (_, item), look in zip(chunk, looks, strict=True) if not look.is_duplicate]
    if items:
        sent.send(items, options, last=chunk[-1][0], budget_micros=looker.max_cost_micros)
