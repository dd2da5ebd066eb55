"""Lists of outbox entries: filtered, a page at a time. Reads only, set-based, never one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Sum

from bulksms import db, states
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Campaign, Message, MessageLabels, Organisation
from bulksms.models.outbox import SINGLE
from bulksms.services.entries import (
    COLUMNS,
    FAILED,
    PAID,
    PENDING,
    SENT,
    Bulk,
    Entry,
    Row,
    Single,
    Sums,
)

INVALID_CURSOR = FieldError(
    "cursor", "invalid_cursor", "This is no cursor of yours. Give one as it was answered to you."
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries; empty = all. A label counts for the request and for each of its messages."""

    status: str = ""
    tag: str = ""
    name: str = ""
    user_label: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries without their rows (but a single's), newest first; the id after which to go on."""

    entries: list[Entry]
    next_id: UUID | None


def page(
    organisation: Organisation, filters: Filters, *, after: UUID | None = None, limit: int = 20
) -> Page:
    """One page, after the entry ``after`` (keyset: every page is as fast as the first).

    Raises InvalidRequest when that is no request of this organisation's.
    """
    found = _with_status(Campaign.objects.filter(organisation=organisation), filters.status)
    found = _labelled(found, filters)
    if after is not None:
        if not Campaign.objects.filter(organisation=organisation, id=after).exists():
            raise InvalidRequest([INVALID_CURSOR])
        found = found.filter(id__lt=after)
    campaigns = list(found.order_by("-id")[: limit + 1])
    shown = campaigns[:limit]
    return Page(_entries(shown), shown[-1].id if len(campaigns) > limit else None)


def _entries(campaigns: Sequence[Campaign]) -> list[Entry]:
    sums = _sums([each.id for each in campaigns if each.kind != SINGLE])
    singles = [each.id for each in campaigns if each.kind == SINGLE]
    messages = Message.objects.filter(campaign__in=singles).values_list("campaign_id", *COLUMNS)
    rows = {values[0]: Row(*values[1:]) for values in messages}
    return [
        Single(each, rows[each.id])
        if each.kind == SINGLE
        else Bulk(each, sums.get(each.id, Sums()))
        for each in campaigns
    ]


def _sums(campaign_ids: Sequence[UUID]) -> dict[UUID, Sums]:
    kept = Q(charge=states.REFUNDED, captured_micros__gt=F("refunded_micros"))
    totals: Any = (
        Message.objects.filter(campaign__in=campaign_ids)
        .order_by()
        .values("campaign_id")
        .annotate(
            paid_units=Sum("units", filter=Q(charge__in=PAID) | kept),
            paid=Sum(F("cost_micros") - F("refunded_micros"), filter=Q(charge__in=PAID) | kept),
            last=Max("asked_at"),
        )
    )
    return {
        row["campaign_id"]: Sums(int(row["paid_units"] or 0), int(row["paid"] or 0), row["last"])
        for row in totals
    }


def _with_status(found: QuerySet[Campaign], wanted: str) -> QuerySet[Campaign]:
    """:func:`state_of` as a condition on columns."""
    if not wanted:
        return found
    if wanted == PENDING:
        return found.filter(done_count__lt=F("recipients_count"))
    arrived = F("delivered_count") + F("unconfirmed_count") + F("awaiting_report_count")
    done = found.alias(arrived=arrived).filter(done_count=F("recipients_count"))
    if wanted == FAILED:
        return done.filter(arrived=0)
    if wanted == SENT:
        return done.filter(arrived=F("recipients_count"))
    return done.filter(arrived__gt=0, arrived__lt=F("recipients_count"))


def _labelled(found: QuerySet[Campaign], filters: Filters) -> QuerySet[Campaign]:
    """Those of which the request, or one of its messages, has all of the labels."""
    wanted: dict[str, Any] = {}
    if filters.name:
        wanted["name"] = filters.name
    if filters.user_label:
        wanted["user_label"] = filters.user_label
    if not wanted and not filters.tag:
        return found
    own = MessageLabels.objects.filter(campaign=OuterRef("pk"), **wanted)
    of_request = found.filter(**wanted)
    if filters.tag:
        tagged = db.has_element("tags", filters.tag)
        own, of_request = own.filter(tagged), of_request.filter(tagged)
    return found.filter(Q(pk__in=of_request.values("pk")) | Exists(own))
