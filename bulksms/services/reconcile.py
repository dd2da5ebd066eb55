"""The tick: everything that time alone must bring about, and the repair of what was lost.

Each step is a small idempotent sweep in its own transactions; any number of ticks may run, the
leased row only saves work. Nothing is correct *because* a nudge arrived: what is due is found here.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, transaction
from django.db.models import Min, Q, QuerySet

from bulksms import clock, conf, queues, states
from bulksms import ids as fresh
from bulksms.exceptions import BulkSmsError
from bulksms.models import (
    Campaign,
    CarrierState,
    Hold,
    Lease,
    Message,
    Refund,
    Report,
    Run,
    Submission,
)
from bulksms.reasons import EXPIRED_IN_QUEUE
from bulksms.services import (
    campaigns,
    control,
    dispatch,
    idempotency,
    limits,
    refunds,
    resolving,
    routing,
    sensitive,
    settlement,
)
from bulksms.services.settlement import Move

logger = logging.getLogger(__name__)

TICK = "tick"
BATCH = 500
#: What may be wrong with one item (a bug, an odd row) without stopping everything else.
FAILURES = (DatabaseError, ImproperlyConfigured, BulkSmsError)

_T = TypeVar("_T")


def tick_once() -> Counter[str]:
    """Run every sweep once; returns how many rows each one moved."""
    done: Counter[str] = Counter()
    for name, sweep in SWEEPS.items():
        try:
            done[name] = sweep(clock.now())
        except OperationalError:  # the database is away: no other sweep would do better
            raise
        except FAILURES:
            logger.exception("bulksms: the sweep %r failed; the others go on", name)
    return +done


def _each(items: Iterable[_T], work: Callable[[_T], int]) -> int:
    """Work on every item; one that cannot be done is logged and keeps no other from its turn."""
    done = 0
    for item in items:
        try:
            done += work(item)
        except OperationalError:
            raise
        except FAILURES:
            logger.exception("bulksms: %s could not be swept; the others go on", item)
    return done


def next_due_at(now: dt.datetime) -> dt.datetime | None:
    """The next moment after ``now`` at which time alone brings something about; None = nothing.

    For clocks that jump from event to event (tests); a running tick simply looks every second.
    """
    waiting = Q(awaiting_report_count__gt=0) | Q(unknown_count__gt=0)
    open_ = Campaign.objects.filter(waiting, finished_at=None).values("id")
    asked = Message.objects.filter(campaign_id__in=open_, done_at=None)
    deadline = dt.timedelta(seconds=conf.settings.REPORT_DEADLINE_S)
    queued = Campaign.objects.filter(finished_at=None, queued_count__gt=0)
    runs = Run.objects.filter(queued_count__gt=0, is_paused=False)
    requests = Submission.objects.filter(status__in=states.OPEN_SUBMISSIONS)
    moments = [
        _next(runs, "due_at", now),
        _next(CarrierState.objects.all(), "slow_until", now),
        _next(CarrierState.objects.all(), "waking_at", now),
        _next(requests, "lease_until", now),
        _next(Submission.objects.all(), "query_due_at", now),
        _next(Report.objects.filter(status=states.PARKED), "next_try_at", now),
        _next(queued, "expires_at", now),
        _next(asked, "asked_at", now, deadline),
        _next(Refund.objects.filter(paid_at=None), "due_at", now),
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def _next(
    rows: QuerySet[Any], column: str, now: dt.datetime, later: dt.timedelta = dt.timedelta()
) -> dt.datetime | None:
    """The first ``column`` + ``later`` that is after ``now``."""
    first = rows.filter(**{f"{column}__gt": now - later}).aggregate(at=Min(column))["at"]
    return None if first is None else first + later


# The tick's own lease


def take_lease(owner: str, name: str = TICK) -> bool:
    """Whether ``owner`` may tick now: the lease is its own, free, or over."""
    now = clock.now()
    until = now + dt.timedelta(seconds=conf.settings.TICK_LEASE_S)
    mine = Lease.objects.filter(Q(owner=owner) | Q(until_at__lte=now), name=name)
    if mine.update(owner=owner, until_at=until, beaten_at=now):
        return True
    fresh = Lease(name=name, owner=owner, until_at=until, beaten_at=now)
    Lease.objects.bulk_create([fresh], ignore_conflicts=True)
    return Lease.objects.filter(name=name, owner=owner, until_at__gt=now).exists()


# Sweeps


def wake_ready_runs(now: dt.datetime) -> int:
    """Nudge every carrier that has due work: a nudge may have been lost, or a time has come."""
    ready = Run.objects.filter(queued_count__gt=0, is_paused=False, due_at__lte=now)
    carriers = sorted(set(ready.values_list("carrier", flat=True)))
    for carrier in carriers:
        queues.wake(queues.DISPATCH, carrier)
    return len(carriers)


def wake_reports(now: dt.datetime) -> int:
    """Bring back parked reports whose time has come, and nudge the apply step if it has work."""
    due = Report.objects.filter(status=states.PARKED, next_try_at__lte=now)
    with transaction.atomic():  # recording unparks reports too, in another order
        free = list(due.select_for_update(skip_locked=True).values_list("id", flat=True))
        back = Report.objects.filter(id__in=free).update(status=states.NEW)
    if back or Report.objects.filter(status=states.NEW).exists():
        queues.wake(queues.APPLY_REPORTS)
    return back


def end_leases(now: dt.datetime) -> int:
    """Submissions whose worker died: nothing was sent (claimed), or we cannot know (submitting)."""
    over = Submission.objects.filter(status__in=states.OPEN_SUBMISSIONS, lease_until__lte=now)
    ids = over.values_list("id", flat=True)[:BATCH]
    return _each(ids, lambda id_: _end_lease(id_, now))


def _end_lease(submission_id: UUID, now: dt.datetime) -> int:
    with transaction.atomic():
        found = (
            Submission.objects.select_for_update(skip_locked=True)
            .filter(id=submission_id, status__in=states.OPEN_SUBMISSIONS, lease_until__lte=now)
            .first()
        )
        if found is None:
            return 0
        begun = found.status == states.SUBMITTING
        ids = [UUID(text) for text in found.message_ids]
        moves = [_after_lease(id_, found.submitting_at if begun else None, now) for id_ in ids]
        settlement.apply(
            moves, _campaigns_of(ids), key=f"lost:{found.id}", now=now, submission_id=found.id
        )
        found.status, found.ended_at, found.outcome = states.LOST, now, "lease over"
        if begun:
            with suppress(ImproperlyConfigured):  # a carrier that was removed: nobody to ask
                found.query_due_at = dispatch.query_due_at(routing.carrier(found.carrier), now)
        found.save(update_fields=("status", "ended_at", "outcome", "query_due_at"))
        queues.wake(queues.DISPATCH, found.carrier)
    logger.warning(
        "bulksms: submission %s to %s was abandoned; its %d messages are %s",
        found.id, found.carrier, len(ids), states.UNKNOWN if begun else states.QUEUED,
    )  # fmt: skip
    return len(ids)


def _after_lease(id_: UUID, asked_at: dt.datetime | None, now: dt.datetime) -> Move:
    if asked_at is None:
        return Move(id_, states.QUEUED, due_at=now)
    return Move(id_, states.UNKNOWN, error="worker_lost", asked_at=asked_at)


def _campaigns_of(ids: Sequence[UUID]) -> set[UUID]:
    return set(Message.objects.filter(id__in=ids).values_list("campaign_id", flat=True))


def wake_queries(now: dt.datetime) -> int:
    """Ask carriers about unknown messages whose time has come: the actor does the network part."""
    waiting = resolving.due(now)
    for submission_id in waiting:
        queues.wake(queues.QUERY, str(submission_id))
    return len(waiting)


def expire_queued(now: dt.datetime) -> int:
    """Queued rows past their ``expires_at``: expired, never sent, their money released."""
    late = Campaign.objects.filter(finished_at=None, expires_at__lte=now, queued_count__gt=0)

    def expire(campaign_id: UUID) -> int:
        rows = Message.objects.filter(
            campaign_id=campaign_id, status=states.QUEUED, expires_at__lte=now
        )
        return _sweep(campaign_id, rows.values_list("id", flat=True), _expired, "expire", now)

    return _each(late.values_list("id", flat=True)[:BATCH], expire)


def _expired(id_: UUID) -> Move:
    return Move(
        id_,
        states.EXPIRED,
        error=EXPIRED_IN_QUEUE,
        error_detail="Not sent before it expired.",
        only_from=frozenset({states.QUEUED}),
    )


def end_waiting(now: dt.datetime) -> int:
    """``sent`` and ``unknown`` rows without a report past the deadline become ``unconfirmed``."""
    deadline = now - dt.timedelta(seconds=conf.settings.REPORT_DEADLINE_S)
    waiting = Q(awaiting_report_count__gt=0) | Q(unknown_count__gt=0)
    late = Campaign.objects.filter(waiting, finished_at=None, started_at__lte=deadline)

    def end(campaign_id: UUID) -> int:
        rows = Message.objects.filter(campaign_id=campaign_id, done_at=None, asked_at__lte=deadline)
        moved = 0
        for status, error in ((states.SENT, "no_report"), (states.UNKNOWN, "no_answer")):
            ids = rows.filter(status=status).values_list("id", flat=True)
            moved += _sweep(campaign_id, ids, _unconfirmed(status, error), f"end-{status}", now)
        return moved

    return _each(late.values_list("id", flat=True)[:BATCH], end)


def _unconfirmed(status: str, error: str) -> Callable[[UUID], Move]:
    keep = status == states.SENT or conf.settings.UNKNOWN_AT_DEADLINE == "capture"
    return lambda id_: Move(
        id_, states.UNCONFIRMED, error=error, capture=keep, only_from=frozenset({status})
    )


def _sweep(
    campaign_id: UUID,
    ids: QuerySet[Any, UUID],
    move: Callable[[UUID], Move],
    why: str,
    now: dt.datetime,
) -> int:
    """Move the rows ``ids`` of one campaign, a batch per transaction."""
    moved = 0
    while batch := list(ids[:BATCH]):
        with transaction.atomic():
            result = settlement.apply(
                [move(id_) for id_ in batch], {campaign_id}, key=f"{why}:{fresh.new()}", now=now
            )
        if not result.counts:
            break
        moved += result.counts.total()
    return moved


def release_skipped(now: dt.datetime) -> int:
    """Give back what ended rows still hold because their wallet was locked at the time."""
    due = Hold.objects.filter(release_due_at__isnull=False).order_by("release_due_at")
    pairs = list(due.values_list("id", "campaign_id")[:BATCH])
    return _each(pairs, lambda pair: _release(*pair, now))


def _release(hold_id: int, campaign_id: UUID, now: dt.datetime) -> int:
    with transaction.atomic():
        campaigns.lock([campaign_id])
        return settlement.release_ended(campaign_id, hold_id, now)


SWEEPS: dict[str, Callable[[dt.datetime], int]] = {
    "ended_leases": end_leases,
    "released": release_skipped,
    "cancelled": control.cancel_rest,
    "expired": expire_queued,
    "unconfirmed": end_waiting,
    "refunded": refunds.pay_due,
    "queries": wake_queries,
    "reports": wake_reports,
    "carriers": wake_ready_runs,
    "sensitive_texts": sensitive.blank_due,
    "rate_windows": limits.prune,
    "idempotency_keys": idempotency.prune,
}
