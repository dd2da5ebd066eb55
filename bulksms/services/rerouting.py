"""Rerouting: moving what is still queued from one carrier to another, by an operator."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F

from bulksms import clock, queues, states
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Decision, Message, Run
from bulksms.services import campaigns, routing, settlement

#: Rows per transaction.
BATCH = 5_000


def reroute(old: str, new: str, *, actor: str, why: str = "", prefix: str = "") -> int:
    """Give the queued messages of carrier ``old`` (to numbers with ``prefix``) to carrier ``new``.

    Works on a carrier that is stopped or gone from the settings; returns how many were moved. What
    the carrier was already asked for stays with it. Raises InvalidRequest.
    """
    _check(old, new)
    runs = Run.objects.filter(carrier=old, queued_count__gt=0).order_by("campaign_id")
    moved = 0
    for campaign_id in list(runs.values_list("campaign_id", flat=True)):
        while count := _move_batch(campaign_id, old, new, prefix):
            moved += count
    scope = {"from": old, "to": new, "prefix": prefix, "moved": moved}
    Decision.objects.create(actor=actor[:80], action="reroute", why=why[:255], scope=scope)
    queues.wake(queues.DISPATCH, new)
    return moved


def _check(old: str, new: str) -> None:
    try:
        routing.carrier(new)
    except ImproperlyConfigured as error:
        raise InvalidRequest([FieldError("to", "no_such_carrier", str(error))]) from error
    if old == new:
        raise InvalidRequest([FieldError("to", "same_carrier", "They are there already.")])


def _move_batch(campaign_id: UUID, old: str, new: str, prefix: str) -> int:
    now = clock.now()
    with transaction.atomic():
        settlement.lock_runs([campaign_id])
        campaigns.lock([campaign_id])
        queued = Message.objects.filter(
            campaign_id=campaign_id, carrier=old, status=states.QUEUED, number__startswith=prefix
        )
        ids = list(queued.order_by("id").values_list("id", flat=True)[:BATCH])
        moved = Message.objects.filter(id__in=ids).update(carrier=new)
        if moved:
            run = Run.objects.get(campaign_id=campaign_id, carrier=old)
            other, _ = Run.objects.get_or_create(
                campaign_id=campaign_id, carrier=new,
                defaults={
                    "organisation_id": run.organisation_id, "priority": run.priority,
                    "due_at": run.due_at, "is_paused": run.is_paused,
                },
            )  # fmt: skip
            for row, change in Counter({run.pk: -moved, other.pk: moved}).items():
                Run.objects.filter(pk=row).update(queued_count=F("queued_count") + change)
            Run.objects.filter(pk=other.pk).update(due_at=min(other.due_at, max(run.due_at, now)))
    return moved
