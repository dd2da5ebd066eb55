"""Retention: after so many days texts go and numbers become keyed hashes; later the rows go too.

Only what is over is touched: finished campaigns, in bounded batches, each a short transaction that
holds its campaigns. Money is never touched: before rows are deleted, what they came to is written
to their hold, and ``bulksms_audit`` goes on comparing it with the ledger.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Model, Q, Sum

from bulksms import clock, conf, states
from bulksms.models import (
    Campaign,
    Hold,
    Message,
    MessageAttempt,
    MessageLabels,
    Refund,
    Report,
    Run,
    Submission,
)
from bulksms.services import blanking, campaigns, idempotency, settlement, totals

#: Rows, and campaigns, per transaction.
BATCH = 5_000
CAMPAIGNS = 500

Progress = Callable[[int], object]


def _nothing(_rows: int) -> None:
    """Nobody watches."""


def least_days() -> int:
    """Until then a message may still move: it waits, its report comes, its money goes back."""
    return ceil((conf.settings.EXPIRY_S + conf.settings.REPORT_DEADLINE_S) / 86_400) + 1


def prune(
    *, days: int, rows: bool = False, dry_run: bool = False, progress: Progress = _nothing
) -> Counter[str]:
    """Forget what is older than ``days``; returns how many rows of what.

    ``blanked`` messages, whose text is gone and whose number is a hash; with ``rows`` also
    ``deleted`` messages; old ``reports``, ``submissions`` and idempotency ``keys``. ``unsound``
    campaigns keep their rows: these do not add up (``bulksms_audit`` says how). ``progress(n)``
    after every batch of ``n`` messages. Raises ValueError for fewer days than :func:`least_days`.
    """
    if days < least_days():
        raise ValueError(f"At least {least_days()} days: until then reports and refunds may come.")
    now = clock.now()
    before = now - dt.timedelta(days=days)
    if dry_run:
        return _count(before, rows=rows)
    done: Counter[str] = Counter()
    if rows:
        for group in _groups(Q(pruned_at=None), before):
            done += _delete_group(group, before, now)
            progress(group.rows)
    for group in _groups(Q(blanked_at=None), before):
        done["blanked"] += _blank_group(group, before, now)
        progress(group.rows)
    for name, (model, moment, removable) in _OLD.items():
        done[name] = _delete_old(model, moment, removable, before)
    done["keys"] = idempotency.prune(now)
    return done


def _count(before: dt.datetime, *, rows: bool) -> Counter[str]:
    over = Campaign.objects.filter(finished_at__lte=before)
    which = {"deleted": Q(pruned_at=None)} if rows else {"blanked": Q(blanked_at=None)}
    found = {
        name: over.filter(those).aggregate(sum=Sum("recipients_count"))["sum"] or 0
        for name, those in which.items()
    }
    old = {
        name: model._default_manager.filter(removable, **{f"{moment}__lte": before}).count()
        for name, (model, moment, removable) in _OLD.items()
    }
    return Counter({**found, **old})


class _Group(NamedTuple):
    """Campaigns that are done in one go: a few thousand rows together, or one large one."""

    ids: list[UUID]
    rows: int


def _groups(those: Q, before: dt.datetime) -> Iterator[_Group]:
    """Finished campaigns, oldest first, each once: what cannot be done now is left behind."""
    over = Campaign.objects.filter(those, finished_at__lte=before).order_by("finished_at", "id")
    seen: Any = None
    while True:
        rest = over if seen is None else over.filter(_after(*seen))
        found = list(rest.values_list("id", "recipients_count", "finished_at")[:CAMPAIGNS])
        if not found:
            return
        ids: list[UUID] = []
        rows = 0
        for id_, count, finished_at in found:
            if ids and rows + count > BATCH:
                break
            ids.append(id_)
            rows, seen = rows + count, (finished_at, id_)
        yield _Group(ids, rows)


def _after(finished_at: dt.datetime, id_: UUID) -> Q:
    later = Q(finished_at__gt=finished_at) | Q(finished_at=finished_at, id__gt=id_)
    return Q(finished_at__gte=finished_at) & later


def _still_over(ids: Sequence[UUID], before: dt.datetime) -> list[UUID]:
    """Locked; a retry may have opened one again."""
    campaigns.lock(ids)
    over = Campaign.objects.filter(id__in=list(ids), finished_at__lte=before)
    return list(over.values_list("id", flat=True))


# Blanking


def _blank_group(group: _Group, before: dt.datetime, now: dt.datetime) -> int:
    blanked = 0
    after: UUID | None = None
    while True:
        with transaction.atomic():
            ids = _still_over(group.ids, before)
            rows = Message.objects.filter(campaign_id__in=ids)
            if len(group.ids) == 1:  # it may be large: page by page, on its index
                rows = Message.objects.filter(campaign_id=group.ids[0]).order_by("id")
                rows = (rows if after is None else rows.filter(id__gt=after))[: BATCH if ids else 0]
            page = list(rows.values_list("id", "number", "input", "text"))
            blanked += blanking.blank(page)
            if len(page) < BATCH or len(group.ids) > 1:
                Campaign.objects.filter(id__in=ids).update(message="", blanked_at=now)
                return blanked
            after = page[-1][0]


# Deleting


def _delete_group(group: _Group, before: dt.datetime, now: dt.datetime) -> Counter[str]:
    """In one transaction: the totals are written, and all of the campaigns' rows go."""
    with transaction.atomic():
        settlement.lock_runs(group.ids)
        over = _still_over(group.ids, before)
        found = totals.of(over)
        ready = _settled(over)
        sound = [id_ for id_ in ready if totals.is_sound(id_, found)]
        totals.write(sound, found)
        those = Q(campaign_id__in=sound)
        messages = Q(message__campaign_id__in=sound)
        MessageAttempt.objects.filter(messages).delete()
        Refund.objects.filter(messages).delete()
        MessageLabels.objects.filter(those).delete()
        Run.objects.filter(those).delete()
        deleted = Message.objects.filter(those).delete()[0]
        Campaign.objects.filter(id__in=sound).update(message="", blanked_at=now, pruned_at=now)
    return Counter(deleted=deleted, unsound=len(ready) - len(sound))


def _settled(ids: Sequence[UUID]) -> list[UUID]:
    """Those with all holds closed and no refund to come."""
    open_ = set(Hold.objects.filter(campaign_id__in=ids, closed_at=None)
                .values_list("campaign_id", flat=True))  # fmt: skip
    waiting = Refund.objects.filter(message__campaign_id__in=ids, paid_at=None)
    open_ |= set(waiting.values_list("message__campaign_id", flat=True))
    return [id_ for id_ in ids if id_ not in open_]


_OLD: dict[str, tuple[type[Model], str, Q]] = {
    "reports": (
        Report, "received_at", Q(status__in=(states.APPLIED, states.IGNORED, states.UNMATCHED)),
    ),
    "submissions": (Submission, "created_at", Q(ended_at__isnull=False, query_due_at=None)),
}  # fmt: skip


def _delete_old(model: type[Model], moment: str, removable: Q, before: dt.datetime) -> int:
    """A window of ids at a time, from the oldest on, up to the first that is young altogether."""
    manager, deleted, after = model._default_manager, 0, None
    while True:
        rows = manager.order_by("pk") if after is None else manager.filter(pk__gt=after)
        window = list(rows.order_by("pk").values_list("pk", moment)[:BATCH])
        if not window or all(at > before for _, at in window):
            return deleted
        after = window[-1][0]
        old = Q(pk__in=[pk for pk, at in window if at <= before])
        deleted += manager.filter(old, removable).delete()[0]
