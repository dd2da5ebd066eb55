"""All messages of an organisation, whatever campaign they are of: filtered, a page at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from bulksms import db, ids
from bulksms.models import Campaign, Message, Organisation

#: Columns of a row, in the names of the model.
COLUMNS = (
    "id", "campaign_id", "number", "input", "status", "units", "cost_micros", "error",
    "error_detail", "carrier", "sent_at", "delivered_at", "attempt", "sender", "campaign__sender",
    "campaign__reference", "campaign__tags", "campaign__created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What to list; an empty field asks for nothing. ``until`` is not part of the range."""

    since: dt.datetime
    until: dt.datetime | None = None
    statuses: Sequence[str] = ()
    number: str = field(default="", repr=False)
    prefix: str = field(default="", repr=False)
    sender: str = ""
    tag: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of ``COLUMNS``, the newest first, and the cursor of the next page, if any."""

    rows: list[dict[str, Any]] = field(repr=False)
    next_id: UUID | None


def messages(
    organisation: Organisation, filters: Filters, *, after: UUID | None = None, limit: int = 100
) -> Listed:
    """One page after (older than) the message ``after``."""
    found = Message.objects.filter(_condition(filters), organisation=organisation)
    if filters.tag or filters.reference:
        found = found.filter(campaign__in=_campaigns(organisation, filters))
    if after is not None:
        found = found.filter(id__lt=after)
    rows = list(found.order_by("-id").values(*COLUMNS)[: limit + 1])
    more = len(rows) > limit
    return Listed(rows[:limit], rows[limit - 1]["id"] if more else None)


def _condition(filters: Filters) -> Q:
    # Ids begin with the time at which they were made: the primary key finds a range of time.
    condition = Q(id__gte=ids.first_at(filters.since))
    if filters.until is not None:
        condition &= Q(id__lt=ids.first_at(filters.until))
    if filters.statuses:
        condition &= Q(status__in=filters.statuses)
    if filters.number:
        condition &= Q(number=filters.number)
    if filters.prefix:
        condition &= Q(number__startswith=filters.prefix)
    if filters.sender:
        own = Q(sender__iexact=filters.sender)
        condition &= own | Q(sender=None, campaign__sender__iexact=filters.sender)
    return condition


def _campaigns(organisation: Organisation, filters: Filters) -> Any:
    found = Campaign.objects.filter(organisation=organisation)
    if filters.reference:
        found = found.filter(reference=filters.reference)
    if filters.tag:
        condition, parameters = db.array_has("tags", filters.tag)
        found = found.extra(where=[condition], params=parameters)
    return found.values("id")
