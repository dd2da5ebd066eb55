"""Unknown messages: what a carrier query, or a person, says about them.

A query that does not know our reference is proof only when it is asked long enough after our
socket was closed (``query_settles_after_s``), and again a minute later with the same answer. What
nobody can tell stays unknown until the deadline.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from bulksms import clock, conf, queues, states
from bulksms import ids as fresh
from bulksms.carriers.base import Carrier, QueryResult
from bulksms.models import Campaign, Decision, Message, Submission
from bulksms.services import attempts, campaigns, fitting, routing, settlement
from bulksms.services.settlement import Move

logger = logging.getLogger(__name__)

#: A query that says "never heard of it" is asked once more after this time.
ASK_AGAIN = dt.timedelta(seconds=60)
BATCH = 500

ACCEPTED, NOT_ACCEPTED, DELIVERED, RESEND = "accepted", "not-accepted", "delivered", "resend"
OUTCOMES: Mapping[str, str] = {
    ACCEPTED: states.SENT,
    NOT_ACCEPTED: states.FAILED,
    DELIVERED: states.DELIVERED,
    RESEND: states.QUEUED,
}


# The carrier says


class _Unknown(NamedTuple):
    id: UUID
    campaign_id: UUID
    attempt: int

    @property
    def reference(self) -> str:
        return fitting.reference(self.id, self.attempt)


def due(now: dt.datetime) -> list[UUID]:
    """Submissions whose unknown messages may be asked about now."""
    waiting = Submission.objects.filter(query_due_at__lte=now).order_by("query_due_at")
    return list(waiting.values_list("id", flat=True)[:BATCH])


def query_once(submission_id: UUID) -> int:
    """Ask the carrier about one submission's unknown messages; returns how many were resolved."""
    asked = _begin(submission_id)
    if asked is None:
        return 0
    carrier, rows = asked
    found = _ask(carrier, rows)
    return _record(submission_id, carrier, rows, found) if found is not None else 0


def _begin(submission_id: UUID) -> tuple[Carrier, list[_Unknown]] | None:
    """[tx] Take the query; another process may take it over if we do not come back."""
    now = clock.now()
    with transaction.atomic():
        submission = (
            Submission.objects.select_for_update(skip_locked=True)
            .filter(id=submission_id, query_due_at__lte=now)
            .first()
        )
        if submission is None:
            return None
        rows = _unknown_rows(submission)
        submission.query_due_at = now + ASK_AGAIN if rows else None
        submission.save(update_fields=("query_due_at",))
    carrier = routing.carrier(submission.carrier)
    return (carrier, rows) if rows and carrier.has_query else None


def _unknown_rows(submission: Submission) -> list[_Unknown]:
    ids = [UUID(text) for text in submission.message_ids]
    rows = Message.objects.filter(
        id__in=ids, status=states.UNKNOWN, submission_id=submission.pk
    ).order_by("id")
    return [_Unknown(*row) for row in rows.values_list("id", "campaign_id", "attempt")]


def _ask(carrier: Carrier, rows: Sequence[_Unknown]) -> Mapping[str, QueryResult] | None:
    """[net] What the carrier knows; None if it could not be asked."""
    deadline = time.monotonic() + conf.settings.SUBMIT_TIMEOUT_S
    return carrier.query([row.reference for row in rows], deadline)


def _record(
    submission_id: UUID,
    carrier: Carrier,
    rows: Sequence[_Unknown],
    found: Mapping[str, QueryResult],
) -> int:
    """[tx] Known ones follow the carrier's word; those absent twice were not accepted."""
    now = clock.now()
    with transaction.atomic():
        submission = Submission.objects.select_for_update().get(id=submission_id)
        absent_before = set(submission.absent_ids)
        absent = [row for row in rows if row.reference not in found]
        moves = [_found(row, found[row.reference]) for row in rows if row.reference in found]
        moves += [
            Move(row.id, states.QUEUED, error="not_accepted", due_at=now)
            for row in absent
            if str(row.id) in absent_before
        ]
        moved = settlement.apply(
            moves,
            {row.campaign_id for row in rows},
            key=f"query:{submission_id}:{now.isoformat()}",
            now=now,
            submission_id=submission_id,
        )
        once = [str(row.id) for row in absent if str(row.id) not in absent_before]
        submission.absent_ids = once
        submission.query_due_at = now + ASK_AGAIN if once else None
        submission.save(update_fields=("absent_ids", "query_due_at"))
        queues.wake(queues.DISPATCH, carrier.name)
    logger.info("bulksms: query of %s resolved %s", carrier.name, dict(moved.counts))
    return moved.counts.total()


def _found(row: _Unknown, result: QueryResult) -> Move:
    if result.outcome == "refused":
        return Move(row.id, states.FAILED, error=result.code or "refused")
    status = result.state or states.SENT
    error = "" if status in (states.SENT, states.DELIVERED) else result.code or status
    return Move(row.id, status, carrier_ref=result.carrier_ref, error=error)


# A person says


def unknown_messages(
    *,
    message_ids: Sequence[UUID] = (),
    campaign_id: UUID | None = None,
    carrier: str = "",
    asked_before: dt.datetime | None = None,
) -> QuerySet[Message]:
    """The unknown messages that a person may decide about, narrowed down."""
    # By their campaigns: no index is kept for a state that few rows are ever in.
    open_ = Campaign.objects.filter(finished_at=None, unknown_count__gt=0)
    rows = Message.objects.filter(status=states.UNKNOWN, campaign__in=open_.values("id"))
    if message_ids:
        rows = rows.filter(id__in=list(message_ids))
    if campaign_id is not None:
        rows = rows.filter(campaign_id=campaign_id)
    if carrier:
        rows = rows.filter(carrier=carrier)
    if asked_before is not None:
        rows = rows.filter(asked_at__lt=asked_before)
    return rows.order_by("id")


def decide(rows: QuerySet[Message], outcome: str, *, actor: str, why: str) -> int:
    """Carry out a person's decision about unknown messages; returns how many were moved.

    ``outcome``: accepted (paid for, a report is awaited), not-accepted (released), delivered, or
    resend: asked for again as a new attempt - the recipient may get it twice. Logged as a Decision.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")
    moved, last = 0, UUID(int=0)
    scope: dict[str, list[str]] = {"messages": []}
    while batch := list(rows.filter(id__gt=last).values_list("id", "campaign_id")[:BATCH]):
        last = batch[-1][0]
        moved += _decide_batch(batch, outcome)
        scope["messages"] += [str(id_) for id_, _ in batch]
    Decision.objects.create(
        actor=actor[:80], action=f"resolve as {outcome}", why=why[:255], scope=scope,
        rows_count=moved,
    )  # fmt: skip
    return moved


def _decide_batch(batch: Sequence[tuple[UUID, UUID]], outcome: str) -> int:
    now = clock.now()
    ids, campaign_ids = [id_ for id_, _ in batch], {campaign_id for _, campaign_id in batch}
    moves = [
        Move(
            id_,
            OUTCOMES[outcome],
            error=_why(outcome),
            due_at=_due(outcome, now),
            only_from=frozenset({states.UNKNOWN}),
        )
        for id_ in ids
    ]
    with transaction.atomic():
        if outcome == RESEND:
            settlement.lock_runs(campaign_ids)
            campaigns.lock(campaign_ids)
            still = Message.objects.select_for_update().filter(id__in=ids, status=states.UNKNOWN)
            attempts.replace([m.pk for m in still.order_by("id")], now, take_over_hold=True)
        moved = settlement.apply(moves, campaign_ids, key=f"decided:{fresh.new()}", now=now)
        for carrier in routing.names() if outcome == RESEND else ():
            queues.wake(queues.DISPATCH, carrier)
    return moved.counts.total()


def _why(outcome: str) -> str:
    return "resolved_not_accepted" if outcome == NOT_ACCEPTED else ""


def _due(outcome: str, now: dt.datetime) -> dt.datetime | None:
    return now if outcome == RESEND else None
