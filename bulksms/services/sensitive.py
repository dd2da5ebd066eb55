"""Sensitive texts (codes, diagnoses, balances): kept only for as long as somebody has to be asked.

They go once no row of their campaign is queued, being handed over, or of unknown fate (an unknown
one may be asked for again). A retry after that has nothing to send and is refused.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from django.db import transaction

from bulksms.models import Campaign, Message
from bulksms.services import campaigns

#: Campaigns in one sweep, rows in one transaction.
CAMPAIGNS, BATCH = 100, 5_000

_READY = {
    "is_sensitive": True,
    "text_blanked_at": None,
    "queued_count": 0,
    "sending_count": 0,
    "unknown_count": 0,
}


def blank_due(now: dt.datetime) -> int:
    """Blank the texts of sensitive campaigns that are through; returns how many campaigns."""
    ready = Campaign.objects.filter(**_READY).order_by("id")
    return sum(_blank(id_, now) for id_ in ready.values_list("id", flat=True)[:CAMPAIGNS])


def _blank(id_: UUID, now: dt.datetime) -> bool:
    """Whether it was done to its end: a retry may come between two batches."""
    while True:
        with transaction.atomic():
            campaigns.lock([id_])
            those = Campaign.objects.filter(id=id_, **_READY)
            if not those.exists():
                return False
            rows = Message.objects.filter(campaign_id=id_).exclude(text=None).exclude(text="")
            page = list(rows.order_by("id").values_list("id", flat=True)[:BATCH])
            Message.objects.filter(id__in=page).update(text="")
            if len(page) < BATCH:
                those.update(message="", text_blanked_at=now)
                return True
