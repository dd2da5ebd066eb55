"""Settlement: moving messages from one state to the next, with their counters and their money.

The one place where a message changes state after intake (but for the claim). In one transaction:
lock campaigns and messages, let ``states.py`` decide, update, count, capture or release. Only rows
that moved are paid for; that is what makes every caller safe to run twice.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import transaction

from bulksms import clock, db, ids, signals, states
from bulksms.models import Campaign, Hold, Message, Organisation, Report, Run
from bulksms.services import campaigns, holds, refunds, wallet

MESSAGES, RUNS, REPORTS = Message._meta.db_table, Run._meta.db_table, Report._meta.db_table


#: What a smallint holds. A carrier that is away for days is tried more often than that.
MOST_ASKS = 32_767


class Move(msgspec.Struct, frozen=True):
    """Where one message should go. ``done``: nothing more is expected of it."""

    message_id: UUID
    status: str
    done: bool = False
    carrier_ref: str = ""
    error: str = ""
    error_detail: str = ""
    #: When the carrier was asked, if this move is the outcome of asking.
    asked_at: dt.datetime | None = None
    #: For a row that goes back to the queue.
    due_at: dt.datetime | None = None
    #: What is held for a row that now counts as accepted is captured; False = released.
    capture: bool = True
    #: The only states it may leave: a list made before the lock may be old. Empty = the table's.
    only_from: frozenset[str] = frozenset()
    #: The attempt that it speaks of; 0 = whichever is current.
    attempt: int = 0
    #: It is the carrier's late word for an earlier attempt: it may end one that is still queued.
    is_late: bool = False


@dataclass(slots=True)
class Moved:
    """What :func:`apply` did: counts per new state, and moves that the table forbids."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[Move] = field(default_factory=list)


class _Row(NamedTuple):
    id: UUID
    campaign_id: UUID
    hold_id: int | None
    carrier: str
    status: str
    submission_id: UUID | None
    attempt: int
    charge: str
    cost_micros: int
    captured_micros: int
    asks: int
    asked_at: dt.datetime | None
    was_sent: bool
    was_done: bool


#: SQL of each column of a row -> its kind. Moments take long to read, and few are asked for.
_READ = {
    "id": db.UUID_, "campaign_id": db.UUID_, "hold_id": db.INT, "carrier": db.TEXT,
    "status": db.TEXT, "submission_id": db.UUID_, "attempt": db.INT, "charge": db.TEXT,
    "cost_micros": db.INT, "captured_micros": db.INT, "asks": db.INT,
    "asked_at": db.TIME, "sent_at IS NOT NULL": db.BOOL, "done_at IS NOT NULL": db.BOOL,
}  # fmt: skip

#: What a move writes. The first column is the key.
_WRITTEN = {
    "id": db.UUID_, "status": db.TEXT, "submission_id": db.UUID_, "carrier_ref": db.TEXT,
    "charge": db.TEXT, "captured_micros": db.INT, "asks": db.INT, "due_at": db.TIME,
    "asked_at": db.TIME, "sent_at": db.TIME, "delivered_at": db.TIME, "done_at": db.TIME,
    "error": db.TEXT, "error_detail": db.TEXT,
}  # fmt: skip
#: Where a move has no new value for these, the old one stays.
_KEPT = frozenset({"carrier_ref", "due_at", "asked_at", "sent_at", "delivered_at"})


def apply(
    moves: Sequence[Move], campaign_ids: Iterable[UUID], *, key: str, now: dt.datetime,
    submission_id: UUID | None = None,
    runs_locked: bool = False,
) -> Moved:  # fmt: skip
    """Carry out ``moves``, all of messages of ``campaign_ids``; inside the caller's transaction.

    With ``submission_id``, only rows that still carry it are moved. ``key`` names the cause and
    makes the ledger keys unique: one cause settles a hold once.
    """
    result = Moved()
    if not moves:
        return result
    queue = any(states.QUEUED in (move.status, *move.only_from) for move in moves)
    if queue and not runs_locked:
        lock_runs(campaign_ids)
    campaigns.lock(campaign_ids)
    wanted = {move.message_id: move for move in moves}
    pairs = []
    rows = _lock_messages(list(wanted))
    # After the locks: `done_at` is never much older than its commit, also after a long wait.
    now = max(now, clock.now())
    for row in rows:
        move = wanted[row.id]
        ours = submission_id is None or row.submission_id == submission_id
        if ours and _fits(row, move):
            pairs.append((row, move))
        else:
            result.refused.append(move)
    _write(pairs, now)
    _count(pairs, now)
    _settle(pairs, key, now)
    _foresee_refunds(pairs, result.refused, now)
    _announce(pairs)
    result.counts.update(move.status for _, move in pairs)
    return result


def _fits(row: _Row, move: Move) -> bool:
    if (move.only_from and row.status not in move.only_from) or move.attempt not in (
        0,
        row.attempt,
    ):
        return False
    if move.is_late:
        return states.arrives_late(row.status, move.status)
    return states.allowed(row.status, move.status)


def lock_campaign(organisation: Organisation, campaign_id: UUID) -> Campaign:
    """The organisation's campaign, locked after its runs, as claims lock them. Raises NotFound."""
    campaigns.get(organisation, campaign_id)
    lock_runs([campaign_id])
    campaigns.lock([campaign_id])
    return campaigns.get(organisation, campaign_id)


def lock_runs(campaign_ids: Iterable[UUID]) -> None:
    """Runs come before campaigns in the lock order; only a row that is queued again needs them."""
    those, params = db.matching("campaign_id", db.UUID_, sorted(campaign_ids))
    sql = f"SELECT id FROM {RUNS} WHERE {those} ORDER BY id{db.for_update()}"
    db.fetch(sql, params, (db.INT,))


def _lock_messages(ids: Sequence[UUID]) -> list[_Row]:
    those, params = db.matching("id", db.UUID_, sorted(ids))
    sql = f"SELECT {', '.join(_READ)} FROM {MESSAGES} WHERE {those} ORDER BY id{db.for_update()}"
    return [_Row._make(row) for row in db.fetch(sql, params, tuple(_READ.values()))]


def _announce(pairs: Sequence[tuple[_Row, Move]]) -> None:
    """Tell the host after the commit which messages are done now, a batch per campaign."""
    if not signals.messages_finished.has_listeners(Message):
        return
    done: dict[UUID, list[UUID]] = defaultdict(list)
    for row, move in pairs:
        if not row.was_done and (move.done or move.status in states.FINAL):
            done[row.campaign_id].append(row.id)

    def send() -> None:
        for campaign_id, finished in done.items():
            signals.messages_finished.send_robust(
                Message, campaign_id=campaign_id, message_ids=finished
            )

    transaction.on_commit(send, robust=True)


# The row


def _captures(row: _Row, move: Move) -> bool:
    """Accepted by the carrier means paid for."""
    charges = move.is_late or states.charges(row.status, move.status)
    return row.charge == states.HELD and charges and move.capture


def _is_first_sent(row: _Row, move: Move) -> bool:
    """Whether this is the first evidence that a carrier took the message."""
    return not row.was_sent and (move.is_late or states.accepts(row.status, move.status))


def _written(row: _Row, move: Move, now: dt.datetime) -> tuple[object, ...]:
    captures = _captures(row, move)
    final = move.done or move.status in states.FINAL
    first_sent = _is_first_sent(row, move)
    return (
        row.id,
        move.status,
        None if move.status == states.QUEUED else row.submission_id,
        move.carrier_ref or None,
        states.CAPTURED if captures else row.charge,
        row.cost_micros if captures else row.captured_micros,
        min(row.asks + (move.asked_at is not None), MOST_ASKS),
        move.due_at,
        move.asked_at,
        (move.asked_at or row.asked_at or now) if first_sent else None,
        now if move.status == states.DELIVERED else None,
        now if final else None,
        move.error[:60],
        move.error_detail[:255],
    )


def _write(pairs: Sequence[tuple[_Row, Move]], now: dt.datetime) -> None:
    rows = [_written(row, move, now) for row, move in pairs]
    moved = db.update(MESSAGES, _WRITTEN, rows, keep=_KEPT)
    assert moved == len(rows), "locked rows cannot vanish"


# The counters


def _count(pairs: Sequence[tuple[_Row, Move]], now: dt.datetime) -> None:
    kinds = Counter(
        (
            row.campaign_id, row.carrier, row.status, move.status, _is_first_sent(row, move),
            (move.done or move.status in states.FINAL) - row.was_done,
        )
        for row, move in pairs
    )  # fmt: skip
    changes: dict[UUID, Counter[str]] = defaultdict(Counter)
    requeued: Counter[tuple[UUID, str]] = Counter()
    for (campaign_id, carrier, old, new, first_sent, done), rows in kinds.items():
        change = changes[campaign_id]
        change[states.COUNTERS[old]] -= rows
        change[states.COUNTERS[new]] += rows
        change["sent_count"] += rows * first_sent
        change["done_count"] += rows * done
        if states.QUEUED in (old, new):
            requeued[campaign_id, carrier] += rows if new == states.QUEUED else -rows
    _count_runs(requeued, pairs, now)
    campaigns.count(changes, now)


def _count_runs(
    changes: Mapping[tuple[UUID, str], int], pairs: Sequence[tuple[_Row, Move]], now: dt.datetime
) -> None:
    """Rows that went back to (or left) the queue; the run is due as soon as the first of them."""
    if not changes:
        return
    due: dict[tuple[UUID, str], dt.datetime] = {}
    for row, move in pairs:
        run, at = (row.campaign_id, row.carrier), move.due_at or now
        due[run] = min(due.get(run, at), at)
    columns = {"v_c": db.UUID_, "v_carrier": db.TEXT, "v_n": db.INT, "v_due": db.TIME}
    rows = [(*run, change, due[run]) for run, change in sorted(changes.items())]
    source, params = db.values(columns, rows)
    db.execute(
        f"UPDATE {RUNS} AS t SET queued_count = t.queued_count + v.v_n,"
        " due_at = CASE WHEN v.v_n > 0 AND v.v_due < t.due_at THEN v.v_due ELSE t.due_at END"
        f" FROM {source} WHERE t.campaign_id = v.v_c AND t.carrier = v.v_carrier",
        params,
    )


# The money


def _settle(pairs: Sequence[tuple[_Row, Move]], key: str, now: dt.datetime) -> None:
    captured: Counter[int] = Counter()
    ended: list[_Row] = []
    for row, move in pairs:
        if row.charge != states.HELD or row.hold_id is None:
            continue
        if _captures(row, move):
            captured[row.hold_id] += row.cost_micros
        elif move.status in states.FINAL:
            ended.append(row)
    if captured and ended:  # in one go, or two of us could wait for each other
        holds.lock({*captured, *(row.hold_id for row in ended if row.hold_id is not None)})
    wallet.capture(captured, key, now)
    _release(ended, key, now)


def _foresee_refunds(
    pairs: Sequence[tuple[_Row, Move]], refused: Sequence[Move], now: dt.datetime
) -> None:
    """What the carrier's refund table gives back later. A "delivered" takes it back, also one that
    is too late to be shown: the carrier says that it did the work."""
    corrected = [(row.id, row.attempt) for row, _ in pairs if row.status == states.UNCONFIRMED]
    contradicted = [
        (move.message_id, move.attempt)
        for move in refused
        if move.status == states.DELIVERED and move.attempt and not move.is_late
    ]
    refunds.withdraw([*corrected, *contradicted])
    ended = [
        refunds.Ended(
            row.id, row.attempt, row.hold_id, row.carrier, move.status, move.error, row.cost_micros
        )
        for row, move in pairs
        if move.status in refunds.STATES
        and row.hold_id is not None
        and (row.charge == states.CAPTURED or _captures(row, move))
    ]
    refunds.expect(ended, now)


def _release(rows: Sequence[_Row], key: str, now: dt.datetime) -> int:
    """Give back what is held for ended (locked) rows, as far as their wallets are free."""
    amounts: Counter[int] = Counter()
    for row in rows:
        if row.hold_id is not None:
            amounts[row.hold_id] += row.cost_micros
    taken = wallet.release(amounts, key, now)
    released = [(row.id, states.RELEASED) for row in rows if row.hold_id in taken]
    db.update(MESSAGES, {"id": db.UUID_, "charge": db.TEXT}, released)
    return len(released)


def release_ended(campaign_id: UUID, hold_id: int, now: dt.datetime) -> int:
    """Release the rows of a (locked) campaign that ended while their wallet was locked."""
    those = Message.objects.filter(
        campaign_id=campaign_id, hold_id=hold_id, charge=states.HELD, done_at__isnull=False
    )
    rows = _lock_messages(list(those.values_list("id", flat=True)))
    rows = [row for row in rows if row.charge == states.HELD]
    released = _release(rows, f"late:{ids.new()}", now)
    if released or not rows:
        Hold.objects.filter(id=hold_id).update(release_due_at=None)
    return released


# Reports that came too early


def unpark(carrier: str, references: Sequence[str], carrier_refs: Sequence[str]) -> int:
    """Hand parked reports of just recorded messages to the next apply step; returns how many.

    In the recording transaction: either both are seen or neither, so no report waits for nothing.
    """
    ours, our_params = db.matching("reference", db.TEXT, references)
    theirs, their_params = db.matching("carrier_ref", db.TEXT, [r for r in carrier_refs if r])
    head = f"UPDATE {REPORTS} SET status = '{states.NEW}' WHERE status = '{states.PARKED}'"
    return db.execute(f"{head} AND reference <> '' AND {ours}", our_params) + db.execute(
        f"{head} AND carrier = %s AND {theirs}", [carrier, *their_params]
    )
