"""The outbox as its readers see it: entries of whole requests ("bulk") and of single messages.

Reads only, set-based: an entry with 10,000 messages takes as many statements as one with ten.
Amounts are micros. ``entry_pages`` has lists of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from bulksms import states
from bulksms.exceptions import NotFound
from bulksms.models import Campaign, Message, MessageLabels, Organisation
from bulksms.models.outbox import SINGLE
from bulksms.services import labels
from bulksms.services.outbox import Draft

# What an entry's status says
PENDING, SENT, FAILED, PARTIAL = "pending", "sent", "failed", "partial"
STATUSES = (PENDING, SENT, FAILED, PARTIAL)

#: Money that is set aside or spent for a message; all else has been given back, or never was.
PAID = (states.HELD, states.CAPTURED)
_ARRIVED = frozenset({states.DELIVERED, states.UNCONFIRMED})


class Row(NamedTuple):
    """One message, as much of it as an entry shows."""

    id: UUID
    number: str
    input: str
    sender: str | None
    text: str | None
    units: int
    price_micros: int
    charge: str
    cost_micros: int
    refunded_micros: int
    status: str
    error: str
    detail: str
    asks: int
    sent_at: dt.datetime | None
    asked_at: dt.datetime | None
    done_at: dt.datetime | None

    def __repr__(self) -> str:
        return f"<Row {self.id} {self.status}>"

    @property
    def state(self) -> str:
        """pending | sent | failed. What the carrier took and never reports on is sent."""
        if self.status in _ARRIVED or (self.status == states.SENT and self.done_at):
            return SENT
        return PENDING if self.status in states.OPEN else FAILED

    @property
    def paid_micros(self) -> int:
        """What is held or captured for it; of a refunded one, what was kept."""
        if self.charge in PAID:
            return self.cost_micros
        return self.cost_micros - self.refunded_micros if self.charge == states.REFUNDED else 0

    @property
    def paid_units(self) -> int:
        """The units that are paid for, or will be: 0 when nothing is."""
        return self.units if self.charge in PAID or self.paid_micros else 0


#: Of the message table, in the order of Row.
COLUMNS = (
    "id", "number", "input", "sender", "text", "units", "unit_price_micros", "charge",
    "cost_micros", "refunded_micros", "status", "error", "error_detail", "asks", "sent_at",
    "asked_at", "done_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sums:
    """What the messages of an entry come to; ``asked_at`` is the last time a carrier was asked."""

    units: int = 0
    paid_micros: int = 0
    asked_at: dt.datetime | None = None

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Sums:
        units = paid = 0
        asked_at: dt.datetime | None = None
        for row in rows:
            units += row.paid_units
            paid += row.paid_micros
            if row.asked_at and (asked_at is None or row.asked_at > asked_at):
                asked_at = row.asked_at
        return cls(units, paid, asked_at)


@dataclass(frozen=True, slots=True)
class Bulk:
    """The entry of a request. ``rows`` are all of its messages in input order; None = not read."""

    campaign: Campaign
    sums: Sums
    rows: Sequence[Row] | None = field(default=None, repr=False)
    #: As it was accepted, whatever has become of it since.
    is_fresh: bool = False

    @property
    def id(self) -> UUID:
        return self.campaign.id

    @property
    def state(self) -> str:
        """pending | sent | failed | partial."""
        if not self.is_fresh:
            return state_of(self.campaign)
        is_queued = any(row.status == states.QUEUED for row in self.rows or ())
        return PENDING if is_queued else FAILED


@dataclass(frozen=True, slots=True)
class Single:
    """The entry of one message. ``own`` are its labels, where they are not its campaign's."""

    campaign: Campaign
    row: Row = field(repr=False)
    own: MessageLabels | None = field(default=None, repr=False)

    @property
    def id(self) -> UUID:
        return self.row.id


Entry = Bulk | Single


def state_of(campaign: Campaign) -> str:
    """pending while anything is open, then sent (all), failed (none) or partial."""
    if campaign.done_count < campaign.recipients_count:
        return PENDING
    arrived = campaign.delivered_count + campaign.unconfirmed_count + campaign.awaiting_report_count
    if not arrived:
        return FAILED
    return SENT if arrived == campaign.recipients_count else PARTIAL


# One entry


def find(organisation: Organisation, entry_id: UUID) -> Entry:
    """The entry of a request, or of one message. Raises NotFound, also for another's."""
    campaign = Campaign.objects.filter(organisation=organisation, id=entry_id).first()
    if campaign is not None:
        return of_campaign(campaign)
    values = Message.objects.filter(organisation=organisation, id=entry_id)
    found = values.values_list("campaign_id", *COLUMNS).first()
    if found is None:
        raise NotFound(f"There is no outbox entry {entry_id}.")
    campaign = Campaign.objects.get(organisation=organisation, id=found[0])
    return Single(campaign, Row(*found[1:]), labels.of([entry_id]).get(entry_id))


def of_campaign(campaign: Campaign) -> Entry:
    """The entry of a request as it is now, with all of its messages."""
    rows = _rows(Message.objects.filter(campaign=campaign).order_by("id"))
    if campaign.kind == SINGLE:
        return Single(campaign, rows[0])
    return Bulk(campaign, Sums.of(rows), rows)


def accepted(campaign: Campaign, drafts: Sequence[Draft]) -> Entry:
    """The entry of a request as it was accepted: the same whenever it is asked for."""
    done_at = campaign.created_at
    rows = [_row(draft, done_at) for draft in drafts]
    if campaign.kind == SINGLE:
        return Single(campaign, rows[0])
    return Bulk(campaign, Sums.of(rows), rows, is_fresh=True)


def is_finished(campaign_id: UUID) -> bool:
    """Whether all messages of the request are done."""
    return Campaign.objects.filter(id=campaign_id, finished_at__isnull=False).exists()


def _rows(messages: QuerySet[Message]) -> list[Row]:
    return [Row(*values) for values in messages.values_list(*COLUMNS)]


def _row(draft: Draft, accepted_at: dt.datetime) -> Row:
    queued = draft.status == states.QUEUED
    return Row(
        draft.id, draft.number, draft.input, draft.sender, draft.text, draft.units,
        draft.price_micros, states.HELD if queued else states.NONE, draft.cost_micros, 0,
        draft.status, draft.error, draft.detail, 0, None, None, None if queued else accepted_at,
    )  # fmt: skip
