"""Dispatch: asking a carrier for queued messages, exactly once each.

One step is four named parts, and a crash between any two of them is survived::

    claim   [tx1]  rows queued -> sending, owned by a new submission with a lease and a slot
    begin   [tx2]  the submission says `submitting`, if its lease still runs; else nothing is sent
    submit  [net]  one request, no transaction open
    record  [tx3]  every result, with its money and its counters

A crash before `begin` gives the rows back; after it they are `unknown` until a report, a query, an
operator or the deadline ends that. See reconcile for both.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from bulksms import clock, conf, db, ids, queues, states
from bulksms.carriers.base import Carrier, OutboundSms, Prepared, SubmitResult
from bulksms.models import Campaign, CarrierState, Message, Run, SenderId, Submission
from bulksms.models.outbox import HIGH
from bulksms.services import campaigns, routing, settlement, stops, suppression
from bulksms.services.settlement import Move

logger = logging.getLogger(__name__)

MESSAGES, RUNS = Message._meta.db_table, Run._meta.db_table

#: Runs that one request may draw from.
MAX_RUNS = 50
#: A carrier that says "too fast" or cannot be reached is left alone for this long, at least.
SLOW_DOWN_S = 1.0
MAX_BACKOFF_S = 300.0
MISSING = SubmitResult("unknown", code="missing_in_answer")


class Claimed(NamedTuple):
    """One message of a submission, as claimed."""

    id: UUID
    organisation_id: int
    campaign_id: UUID
    number: str
    sender: str | None
    text: str | None
    units: int
    attempt: int
    asks: int
    expires_at: dt.datetime

    @property
    def reference(self) -> str:
        return str(self.id) if self.attempt == 1 else f"{self.id}-{self.attempt}"

    def __repr__(self) -> str:
        return f"<Claimed {self.reference}>"


@dataclass(frozen=True, slots=True)
class Claim:
    """A submission that this process may begin, and its messages in order."""

    submission_id: UUID
    carrier: str
    rows: Sequence[Claimed]
    batch: Sequence[OutboundSms]
    #: Rows that the last check refused: they failed and are not asked for.
    refused: int = 0


def run_once(carrier_name: str) -> int:
    """Ask ``carrier_name`` for one request's worth of messages; returns how many were claimed."""
    carrier = routing.carrier(carrier_name)
    claimed = claim(carrier)
    if claimed is None:
        return 0
    if not claimed.rows:
        return claimed.refused
    prepared = carrier.prepare(claimed.batch)
    deadline = time.monotonic() + conf.settings.SUBMIT_TIMEOUT_S
    asked_at = begin(claimed)
    if asked_at is None:
        return 0
    results = submit(carrier, prepared, deadline)
    record(claimed, prepared, results, asked_at)
    return len(claimed.rows)


# tx1


def claim(carrier: Carrier) -> Claim | None:
    """Take a free slot and a request's worth of due rows; None = no slot, no work, or not now."""
    now = clock.now()
    with transaction.atomic():
        slot = _free_slot(carrier, now)
        runs = _choose_runs(carrier, now) if slot else []
        if not slot or not runs:
            return None
        submission_id = ids.new()
        taken = _claim_rows(carrier, runs, submission_id, now)
        if not taken:
            return None
        common = Campaign.objects.in_bulk({row.campaign_id for row in taken})
        rows = _last_check(taken, common, submission_id, now)
        if not rows:
            return Claim(submission_id, carrier.name, (), (), len(taken))
        Submission.objects.create(
            id=submission_id, carrier=carrier.name, slot=slot, created_at=now,
            lease_until=now + dt.timedelta(seconds=conf.settings.LEASE_S),
            message_ids=[str(row.id) for row in rows],
        )  # fmt: skip
        batch = _batch(rows, common, now)
    return Claim(submission_id, carrier.name, rows, batch, len(taken) - len(rows))


def _free_slot(carrier: Carrier, now: dt.datetime) -> int | None:
    """Lock the carrier's row, then find a slot: one process at a time chooses its work."""
    state = CarrierState.objects.select_for_update().filter(carrier=carrier.name).first()
    if state is None:
        CarrierState.objects.bulk_create(
            [CarrierState(carrier=carrier.name)], ignore_conflicts=True
        )
        state = CarrierState.objects.select_for_update().get(carrier=carrier.name)
    slow = state.slow_until is not None and state.slow_until > now
    if slow or stops.is_stopped(carrier.name):
        return None
    open_ = Submission.objects.filter(carrier=carrier.name, status__in=states.OPEN_SUBMISSIONS)
    taken = set(open_.values_list("slot", flat=True))
    return next((slot for slot in range(1, carrier.window + 1) if slot not in taken), None)


def _choose_runs(carrier: Carrier, now: dt.datetime) -> list[Run]:
    """Due runs, high priority first, then the longest waiting; as many as fill a request."""
    ready = Run.objects.filter(
        carrier=carrier.name,
        queued_count__gt=0,
        is_paused=False,
        due_at__lte=now,
        organisation__is_active=True,
    )
    waiting = sorted(
        ready.order_by("priority", "due_at")[: MAX_RUNS * 2],
        key=lambda run: (run.priority != HIGH, run.served_at or run.due_at, run.pk),
    )
    chosen, rows = [], 0
    for run in waiting[:MAX_RUNS]:
        if rows < carrier.batch_size:
            chosen.append(run.pk)
            rows += run.queued_count
    return list(Run.objects.select_for_update().filter(pk__in=chosen).order_by("pk"))


_CLAIM = """
WITH picked AS MATERIALIZED (
  SELECT id AS picked_id FROM {messages}
  WHERE campaign_id = %s AND status = 'queued' AND carrier = %s
    AND due_at <= %s AND expires_at > %s
  ORDER BY due_at, id LIMIT %s{lock}
)
UPDATE {messages} SET status = 'sending', submission_id = %s
FROM picked WHERE id = picked_id
RETURNING id, organisation_id, campaign_id, number, sender, text, units, attempt, asks, expires_at
"""
_CLAIM_KINDS = (
    db.UUID_, db.INT, db.UUID_, db.TEXT, db.TEXT, db.TEXT, db.INT, db.INT, db.INT, db.TIME,
)  # fmt: skip


def _claim_rows(
    carrier: Carrier, runs: Sequence[Run], submission_id: UUID, now: dt.datetime
) -> list[Claimed]:
    campaigns.lock({run.campaign_id for run in runs})
    rows: list[Claimed] = []
    changes: dict[UUID, dict[str, int]] = {}
    for run in runs:
        room = carrier.batch_size - len(rows)
        if room <= 0:
            break
        taken = _claim_run(carrier, run, submission_id, room, now)
        _serve(run, len(taken), room, now)
        if taken:
            changes[run.campaign_id] = {
                states.COUNTERS[states.QUEUED]: -len(taken),
                states.COUNTERS[states.SENDING]: len(taken),
            }
        rows += taken
    campaigns.count(changes, now)
    return sorted(rows)


def _claim_run(
    carrier: Carrier, run: Run, submission_id: UUID, room: int, now: dt.datetime
) -> list[Claimed]:
    sql = _CLAIM.format(messages=MESSAGES, lock=db.for_update(skip_locked=True))
    params = (run.campaign_id, carrier.name, now, now, room, submission_id)
    return [Claimed._make(row) for row in db.fetch(sql, params, _CLAIM_KINDS)]


def _serve(run: Run, taken: int, room: int, now: dt.datetime) -> None:
    """Note what was taken; a run whose rows are not due yet sleeps until the first of them is."""
    run.queued_count -= taken
    run.served_at = now
    if taken < room and run.queued_count:
        nearest = (
            Message.objects.filter(
                campaign_id=run.campaign_id, status=states.QUEUED, carrier=run.carrier
            )
            .order_by("due_at")
            .values_list("due_at", flat=True)
            .first()
        )
        run.due_at = max(nearest or now, now + dt.timedelta(seconds=1))
    run.save(update_fields=("queued_count", "served_at", "due_at"))


def _last_check(
    rows: Sequence[Claimed],
    common: Mapping[UUID, Campaign],
    submission_id: UUID,
    now: dt.datetime,
) -> list[Claimed]:
    """Fail what may not leave any more (suppressed, sender revoked); the others, in order."""
    listed = suppression.among((row.organisation_id, row.number) for row in rows)
    senders = _approved({row.organisation_id for row in rows})
    refused: dict[UUID, Move] = {}
    for row in rows:
        sender = row.sender or common[row.campaign_id].sender
        if (row.organisation_id, row.number) in listed:
            error, detail = suppression.SUPPRESSED, suppression.DETAIL
        elif (row.organisation_id, sender) not in senders:
            error, detail = "sender_not_allowed", "The sender ID was revoked before it was sent."
        else:
            continue
        refused[row.id] = Move(row.id, states.FAILED, error=error, error_detail=detail)
    campaign_ids = {row.campaign_id for row in rows if row.id in refused}
    key = f"check:{submission_id}"
    settlement.apply(list(refused.values()), campaign_ids, key=key, now=now)
    return [row for row in rows if row.id not in refused]


def _approved(organisation_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(organisation id, sender) of all senders that may be used now."""
    approved = SenderId.objects.filter(
        organisation_id__in=organisation_ids, status=SenderId.STATUS.approved
    )
    return set(approved.values_list("organisation_id", "name"))


def _batch(
    rows: Sequence[Claimed], common: Mapping[UUID, Campaign], now: dt.datetime
) -> list[OutboundSms]:
    """What the carrier is asked for: the row's own sender and text, or its campaign's."""
    return [
        OutboundSms(
            reference=row.reference,
            to=row.number,
            sender=row.sender or common[row.campaign_id].sender,
            text=common[row.campaign_id].message if row.text is None else row.text,
            parts=row.units,
            validity_s=max(int((row.expires_at - now).total_seconds()), 1),
        )
        for row in rows
    ]


# tx2


def begin(claimed: Claim) -> dt.datetime | None:
    """Commit to asking; returns when, or None if the lease is over (then nothing is sent)."""
    now = clock.now()
    begun = Submission.objects.filter(
        id=claimed.submission_id, status=states.CLAIMED, lease_until__gt=now
    ).update(
        status=states.SUBMITTING,
        submitting_at=now,
        lease_until=now + dt.timedelta(seconds=conf.settings.LEASE_S),
    )
    return now if begun else None


# The network


def submit(carrier: Carrier, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
    """One request; no transaction is open here."""
    return carrier.submit(prepared, deadline)


# tx3


def record(
    claimed: Claim, prepared: Prepared, results: Mapping[str, SubmitResult], asked_at: dt.datetime
) -> None:
    """Write down every result, also late ones: rows that still carry this submission are moved."""
    now = clock.now()
    carrier = routing.carrier(claimed.carrier)
    outcome = {row.reference: _result(row, prepared, results) for row in claimed.rows}
    moves = [_move(carrier, row, outcome[row.reference], asked_at, now) for row in claimed.rows]
    with transaction.atomic():
        _slow_down(carrier, list(outcome.values()), now)
        Submission.objects.select_for_update().get(id=claimed.submission_id)
        moved = settlement.apply(
            moves, {row.campaign_id for row in claimed.rows},
            key=str(claimed.submission_id), now=now, submission_id=claimed.submission_id,
        )  # fmt: skip
        _finish(claimed, carrier, moved, now)
        refs = [result.carrier_ref for result in outcome.values()]
        if settlement.unpark(claimed.carrier, list(outcome), refs):
            queues.wake(queues.APPLY_REPORTS)
        queues.wake(queues.DISPATCH, claimed.carrier)
    logger.info(
        "bulksms: asked %s for %d messages: %s",
        claimed.carrier, len(claimed.rows), dict(moved.counts),
        extra={"submission": str(claimed.submission_id)},
    )  # fmt: skip


def _result(row: Claimed, prepared: Prepared, results: Mapping[str, SubmitResult]) -> SubmitResult:
    why = prepared.unencodable.get(row.reference)
    if why is not None:
        return SubmitResult("refused", code="cannot_be_encoded", detail=why)
    return results.get(row.reference, MISSING)


def _move(
    carrier: Carrier, row: Claimed, result: SubmitResult, asked_at: dt.datetime, now: dt.datetime
) -> Move:
    if result.outcome == "accepted":
        return Move(
            row.id, states.SENT, done=not carrier.supports_reports,
            carrier_ref=result.carrier_ref, asked_at=asked_at,
        )  # fmt: skip
    error, detail = result.code, result.detail
    if result.outcome == "unknown":
        return Move(
            row.id, states.UNKNOWN, error=error, error_detail=detail, asked_at=asked_at,
            carrier_ref=result.carrier_ref,
        )  # fmt: skip
    if result.outcome == "stopped" or result.temporary:
        due = _again_at(row, result, now)
        return Move(
            row.id, states.QUEUED, error=error, error_detail=detail, due_at=due, asked_at=asked_at
        )
    return Move(row.id, states.FAILED, error=error, error_detail=detail, asked_at=asked_at)


def _again_at(row: Claimed, result: SubmitResult, now: dt.datetime) -> dt.datetime:
    """When a refused row is due again. A carrier that is slow or stopped is no fault of the row."""
    if result.outcome == "stopped" or result.code in ("throttled", "queue_full", "no_connection"):
        return now
    backoff = min(2.0 ** min(row.asks + 1, 9), MAX_BACKOFF_S)
    return now + dt.timedelta(seconds=backoff * ids.spread(0.5, 1.5))


def _slow_down(carrier: Carrier, results: Sequence[SubmitResult], now: dt.datetime) -> None:
    """Pause a carrier that stopped; leave one alone that is too busy. First in the lock order."""
    state = CarrierState.objects.filter(carrier=carrier.name)
    stopped = next((r for r in results if r.outcome == "stopped"), None)
    if stopped is not None:
        state.update(paused_at=now, pause_reason=f"{stopped.code} {stopped.detail}".strip()[:255])
        logger.error(
            "bulksms: carrier %s stopped (%s). Put it right there, then resume the carrier.",
            carrier.name, stopped.code,
        )  # fmt: skip
        return
    slow = [r for r in results if r.code in ("throttled", "queue_full", "no_connection")]
    if slow:
        wait = max(SLOW_DOWN_S, *(r.retry_after_s or 0.0 for r in slow))
        state.update(slow_until=now + dt.timedelta(seconds=wait))


def query_due_at(carrier: Carrier, closed_at: dt.datetime) -> dt.datetime | None:
    """When the carrier may be asked what it knows of a request whose socket was closed then."""
    if not carrier.has_query:
        return None
    return closed_at + dt.timedelta(seconds=carrier.query_settles_after_s)


def _finish(claimed: Claim, carrier: Carrier, moved: settlement.Moved, now: dt.datetime) -> None:
    summary = ", ".join(f"{count} {status}" for status, count in sorted(moved.counts.items()))
    Submission.objects.filter(id=claimed.submission_id).update(
        status=states.RECORDED,
        ended_at=now,
        outcome=summary[:255],
        query_due_at=query_due_at(carrier, now) if moved.counts[states.UNKNOWN] else None,
    )
