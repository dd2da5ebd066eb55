"""Dispatch: asking a carrier for queued messages, exactly once each.

One step is four named parts, and a crash between any two of them is survived::

    claim   [tx1]  rows queued -> sending, owned by a new submission (claiming.py)
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
from collections.abc import Mapping, Sequence

from django.db import transaction

from bulksms import clock, conf, ids, queues, states
from bulksms.carriers.base import Carrier, Prepared, SubmitResult
from bulksms.models import CarrierState, Submission
from bulksms.services import routing, settlement
from bulksms.services.claiming import Claim, claim
from bulksms.services.fitting import SUSPECT, Claimed
from bulksms.services.settlement import Move

logger = logging.getLogger(__name__)

#: A carrier that says "too fast" or cannot be reached is left alone for this long, then twice as
#: long each time it says so again. A Retry-After is obeyed, but a lying one does not stop us.
SLOW_DOWN_S = 1.0
MOST_SLOW_DOWN_S = 60.0
MOST_RETRY_AFTER_S = 300.0
#: One that answered nothing of two whole requests in a row may be down: it is asked slowly, or a
#: whole campaign becomes unknown within seconds.
UNKNOWN_SLOW_DOWN_S = 5.0
MAX_BACKOFF_S = 300.0
MOST_STRIKES = 10
#: The carrier is to blame and not the message: it is due again at once, the carrier is not.
BUSY = frozenset({"throttled", "queue_full", "no_connection"})
MISSING = SubmitResult("unknown", code="missing_in_answer")


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
    outcome = {row.reference: _result(row.reference, prepared, results) for row in claimed.rows}
    size = len(prepared.references)
    moves = [
        _move(carrier, row, outcome[row.reference], asked_at, now, size=size)
        for row in claimed.rows
    ]
    with transaction.atomic():
        _slow_down(carrier, list(outcome.values()), now)
        Submission.objects.select_for_update().values_list("id").get(id=claimed.submission_id)
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


def _result(
    reference: str, prepared: Prepared, results: Mapping[str, SubmitResult]
) -> SubmitResult:
    why = prepared.unencodable.get(reference)
    if why is not None:
        return SubmitResult("refused", code="cannot_be_encoded", detail=why)
    return results.get(reference, MISSING)


def _move(
    carrier: Carrier, row: Claimed, result: SubmitResult, asked_at: dt.datetime, now: dt.datetime,
    *, size: int,
) -> Move:  # fmt: skip
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
    if result.of_request and size > 1:
        return Move(
            row.id, states.QUEUED, error=f"{SUSPECT}{max(size // 4, 1)}", error_detail=error,
            due_at=now, asked_at=asked_at,
        )  # fmt: skip
    return Move(row.id, states.FAILED, error=error, error_detail=detail, asked_at=asked_at)


def _again_at(row: Claimed, result: SubmitResult, now: dt.datetime) -> dt.datetime:
    """When a refused row is due again. A carrier that is slow or stopped is no fault of the row."""
    if result.outcome == "stopped" or result.code in BUSY:
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
    slow = [r for r in results if r.code in BUSY]
    silent = all(r.outcome == "unknown" for r in results)
    if not slow and not silent:
        state.filter(strikes__gt=0).update(strikes=0)
        return
    locked = state.select_for_update().get()
    if slow or locked.strikes:
        until = now + dt.timedelta(seconds=_wait_s(results, locked.strikes, silent=silent))
        locked.slow_until = max(until, locked.slow_until or until)
    locked.strikes = min(locked.strikes + 1, MOST_STRIKES)
    locked.save(update_fields=("strikes", "slow_until"))


def _wait_s(results: Sequence[SubmitResult], strikes: int, *, silent: bool) -> float:
    """Longer each time, with a spread, so that several workers do not come back together."""
    least = UNKNOWN_SLOW_DOWN_S if silent else SLOW_DOWN_S
    times = strikes - 1 if silent else strikes
    backoff = min(least * 2.0**times, MOST_SLOW_DOWN_S) * ids.spread(1.0, 1.25)
    asked = max(r.retry_after_s or 0.0 for r in results)
    return max(backoff, min(asked, MOST_RETRY_AFTER_S))


def query_due_at(carrier: Carrier, closed_at: dt.datetime) -> dt.datetime | None:
    """When the carrier may be asked what it knows of a request whose socket was closed then."""
    if not carrier.has_query:
        return None
    return closed_at + dt.timedelta(seconds=carrier.query_settles_after_s)


def _has_unknown(moved: settlement.Moved) -> bool:
    """Also rows that were unknown before: a late answer may know no more than the ended lease."""
    return bool(moved.counts[states.UNKNOWN]) or any(
        move.status == states.UNKNOWN for move in moved.refused
    )


def _finish(claimed: Claim, carrier: Carrier, moved: settlement.Moved, now: dt.datetime) -> None:
    summary = ", ".join(f"{count} {status}" for status, count in sorted(moved.counts.items()))
    Submission.objects.filter(id=claimed.submission_id).update(
        status=states.RECORDED,
        ended_at=now,
        outcome=summary[:255],
        query_due_at=query_due_at(carrier, now) if _has_unknown(moved) else None,
    )
