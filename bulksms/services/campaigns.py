"""Campaigns: counting their rows, and what the world is told about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum

from bulksms import db, signals, states
from bulksms.exceptions import NotFound
from bulksms.models import Campaign, Hold, Message, Organisation

CAMPAIGNS = Campaign._meta.db_table

#: All counters that a batch of moved rows may change, in column order.
COUNTERS = (*states.COUNTERS.values(), "sent_count", "done_count")

_RESTATE = f"""
UPDATE {CAMPAIGNS} SET
  started_at = COALESCE(started_at, %s),
  status = CASE
    WHEN done_count = recipients_count AND cancelled_at IS NOT NULL AND cancelled_count > 0
      THEN '{states.CANCELLED}'
    WHEN done_count = recipients_count THEN '{states.COMPLETED}'
    WHEN status = '{states.PAUSED}' AND queued_count + sending_count > 0 THEN status
    WHEN status = '{states.SCHEDULED}' AND sending_count = 0 AND scheduled_at > %s THEN status
    WHEN queued_count + sending_count > 0 THEN '{states.SENDING}'
    ELSE '{states.REPORTING}' END,
  finished_at = CASE WHEN done_count = recipients_count THEN COALESCE(finished_at, %s) END
WHERE """


def lock(ids: Iterable[UUID]) -> None:
    """Lock campaigns, in order of id: before their messages, after their runs."""
    those, params = db.matching("id", db.UUID_, sorted(ids))
    db.fetch(
        f"SELECT id FROM {CAMPAIGNS} WHERE {those} ORDER BY id{db.for_update()}",
        params,
        (db.UUID_,),
    )


def count(changes: Mapping[UUID, Mapping[str, int]], now: dt.datetime) -> None:
    """Add to the counters of (locked) campaigns and let their status follow.

    A campaign of which this completes the last row is announced after the commit.
    """
    if not changes:
        return
    columns = {"id": db.UUID_, **dict.fromkeys(COUNTERS, db.INT)}
    rows = [(id_, *(changes[id_].get(name, 0) for name in COUNTERS)) for id_ in sorted(changes)]
    db.add(CAMPAIGNS, columns, rows)
    those, params = db.matching("id", db.UUID_, sorted(changes))
    sql = f"{_RESTATE}{those} RETURNING id, finished_at"
    restated = db.fetch(sql, [now, now, now, *params], (db.UUID_, db.TIME))
    _announce([id_ for id_, finished_at in restated if finished_at == now])


def _announce(finished: list[UUID]) -> None:
    if not finished or not signals.campaign_finished.has_listeners(Campaign):
        return

    def send() -> None:
        for id_ in finished:
            signals.campaign_finished.send_robust(Campaign, campaign_id=id_)

    transaction.on_commit(send, robust=True)


@dataclass(frozen=True, slots=True)
class Page:
    """Messages of one page (rows of ``MESSAGE_COLUMNS``) and the cursor of the next one, if any."""

    rows: list[dict[str, Any]]
    next_id: UUID | None


MESSAGE_COLUMNS = (
    "id", "number", "input", "status", "units", "cost_micros", "error", "error_detail",
    "carrier", "sent_at", "delivered_at", "attempt",
)  # fmt: skip


def get(organisation: Organisation, campaign_id: UUID) -> Campaign:
    """The organisation's campaign. Raises NotFound, also for another organisation's."""
    found = Campaign.objects.filter(organisation=organisation, id=campaign_id).first()
    if found is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    return found


def cost_micros(campaign: Campaign) -> int:
    """What is held or captured for it, refunds taken off."""
    amounts = Hold.objects.filter(campaign=campaign).aggregate(
        cost=Sum(F("held_micros") - F("released_micros") - F("refunded_micros"))
    )
    return int(amounts["cost"] or 0)


def messages(
    campaign: Campaign, *, after: UUID | None = None, limit: int = 100,
    statuses: Iterable[str] = (), number: str = "",
) -> Page:  # fmt: skip
    """One page in input order, after the message ``after`` (keyset: the last page is as fast)."""
    condition, parameters = db.pinned("campaign_id", campaign.pk)
    found = Message.objects.extra(where=[condition], params=parameters)
    found = found.order_by("campaign_id", "id")
    if after is not None:
        found = found.filter(id__gt=after)
    if statuses:
        found = found.filter(status__in=list(statuses))
    if number:
        found = found.filter(number=number)
    rows = list(found.values(*MESSAGE_COLUMNS)[: limit + 1])
    more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1]["id"] if more else None)
