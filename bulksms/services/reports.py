"""Delivery reports: stored raw and once, then matched and applied in batches.

The carrier is answered as soon as its reports are stored. Applying is idempotent, in any order: the
state table never lets a final state go back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.db import transaction

from bulksms import clock, conf, db, queues, states
from bulksms.carriers.base import MAX_CODE, MAX_REF, ParsedReport
from bulksms.exceptions import TooManyReports
from bulksms.models import Message, Report
from bulksms.services import attempts, matching, refunds, settlement
from bulksms.services.matching import Match, StoredReport
from bulksms.services.settlement import Move

logger = logging.getLogger(__name__)

REPORTS = Report._meta.db_table

#: How many reports one apply step takes.
BATCH = 500
#: A report without a match is tried again after 1, 2, 4, ... seconds, then hourly, for this long.
PARKED_FOR = dt.timedelta(hours=72)
MAX_WAIT_S = 3600

#: The states that a report may end. One for a row that is being asked for comes too early.
MAY_MOVE = frozenset({states.SENT, states.UNKNOWN, states.UNCONFIRMED})
#: "999/999" is more than any text has.
MAX_PART = 9

_STORED = {
    "carrier": db.TEXT, "dedupe_key": db.TEXT, "carrier_ref": db.TEXT, "reference": db.TEXT,
    "state": db.TEXT, "code": db.TEXT, "part": db.TEXT, "raw": db.TEXT, "status": db.TEXT,
    "reason": db.TEXT, "tries": db.INT, "received_at": db.TIME,
}  # fmt: skip


def store(carrier: str, reports: Sequence[ParsedReport]) -> int:
    """Keep reports as received, each once; returns how many were new. Wakes the apply step.

    Raises TooManyReports while too many of this carrier match nothing: a carrier that has gone mad,
    or somebody who forges reports, fills no disk.
    """
    now = clock.now()
    if _has_too_many_parked(carrier):
        raise TooManyReports
    rows = [
        (
            carrier, _key_of(r), _clean(r.carrier_ref)[:MAX_REF], _clean(r.reference)[:MAX_CODE],
            r.state, _clean(r.code)[:MAX_CODE], _clean(r.part)[:MAX_PART], _clean(r.raw),
            states.NEW, "", 0, now,
        )
        for r in reports
    ]  # fmt: skip
    with transaction.atomic():
        new = db.insert_new(REPORTS, _STORED, rows, returning="id")
        if new:
            queues.wake(queues.APPLY_REPORTS)
    return len(new)


def _has_too_many_parked(carrier: str) -> bool:
    limit = conf.settings.MAX_PARKED_REPORTS
    sql = (
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {REPORTS} WHERE carrier = %s"
        f" AND status = '{states.PARKED}' LIMIT %s) AS parked"
    )
    return bool(db.fetch(sql, (carrier, limit), (db.INT,))[0][0] >= limit)


def _key_of(report: ParsedReport) -> str:
    """Its dedupe key; of one that is too long for the column, the digest."""
    key = _clean(report.dedupe_key)
    return key if len(key) <= MAX_REF else hashlib.sha256(key.encode()).hexdigest()


def _clean(text: str) -> str:
    """What a database takes: NUL and halves of surrogate pairs become question marks."""
    text = text.replace("\0", "?")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def apply_once(limit: int = BATCH) -> int:
    """Apply up to ``limit`` stored reports in one transaction; returns how many it took."""
    now = clock.now()
    with transaction.atomic():
        reports = _lock_new(limit)
        matches = matching.match(reports)
        ended = _apply(reports, matches, now)
        _write(reports, ended, matches, now)
    if len(reports) == limit:
        queues.wake(queues.APPLY_REPORTS)
    return len(reports)


_LOCKED = {
    "id": db.INT, "carrier": db.TEXT, "carrier_ref": db.TEXT, "reference": db.TEXT,
    "state": db.TEXT, "code": db.TEXT, "part": db.TEXT, "tries": db.INT, "received_at": db.TIME,
}  # fmt: skip


def _lock_new(limit: int) -> list[StoredReport]:
    sql = (
        f"SELECT {', '.join(_LOCKED)} FROM {REPORTS} WHERE status = '{states.NEW}' ORDER BY id"
        f" LIMIT %s{db.for_update(skip_locked=True)}"
    )
    with db.in_index_order():
        rows = db.fetch(sql, (limit,), tuple(_LOCKED.values()))
    return [StoredReport._make(row) for row in rows]


# Applying


def _apply(
    reports: Sequence[StoredReport], matches: dict[int, Match], now: dt.datetime
) -> dict[int, tuple[str, str]]:
    """Report id -> (its new status, the reason)."""
    found = _with_parts([matches[r.id] for r in reports if r.id in matches])
    old = [match for match in found if match.is_replaced]
    attempts.note_late(sorted((m.message_id, m.attempt, m.report.state) for m in old), now)
    ended = {r.id: (states.PARKED, "no_match") for r in reports if r.id not in matches}
    ended |= {match.report.id: (states.IGNORED, "old_attempt") for match in old}
    remaining = [*_arrived_late(old), *(match for match in found if not match.is_replaced)]
    while remaining:  # one report per message in a round: their order is kept
        batch, remaining = _first_of_each(remaining)
        ended |= _apply_round(batch, now)
    return ended


def _with_parts(matches: Sequence[Match]) -> list[Match]:
    """Mark reports of parts that arrived while others of their message have not."""
    arrived = [m for m in matches if m.report.part and m.report.state == states.DELIVERED]
    if not arrived:
        return list(matches)
    told: dict[object, set[str]] = defaultdict(set)
    for match in arrived:
        told[_attempt_of(match.message_id, match.report)].add(match.report.part)
    stored = Report.objects.filter(
        message_id__in={m.message_id for m in arrived}, state=states.DELIVERED
    ).exclude(part="")
    for report in stored:
        told[_attempt_of(report.message_id, report)].add(report.part)
    waiting = {
        match.report.id
        for match in arrived
        if len(told[_attempt_of(match.message_id, match.report)]) < _parts_of(match.report)
    }
    return [
        msgspec.structs.replace(match, is_part_of_more=True)
        if match.report.id in waiting
        else match
        for match in matches
    ]


def _attempt_of(message_id: object, report: Report | StoredReport) -> object:
    """Parts count together that speak of one message in the same words."""
    return message_id, report.reference, report.carrier_ref


def _parts_of(report: StoredReport) -> int:
    _, _, parts = report.part.partition("/")
    return int(parts) if parts.isdecimal() else 1


def _arrived_late(old: Sequence[Match]) -> list[Match]:
    """Reports for replaced attempts move nothing, with one exception, which this finds.

    "delivered" while the new attempt is still queued: the message has arrived, so the new attempt
    ends before it began and its money goes back, unless it is the old one's. One for each message,
    in the first round: their runs are locked before anything else.
    """
    arrived = {
        m.message_id: m for m in old if m.report.state == states.DELIVERED and not m.is_part_of_more
    }
    pairs = [(match.message_id, match.attempt) for match in arrived.values()]
    unpaid = attempts.taken_over(pairs) if pairs else set()
    return [
        msgspec.structs.replace(match, is_unpaid=(match.message_id, match.attempt) in unpaid)
        for match in arrived.values()
    ]


def _first_of_each(matches: Sequence[Match]) -> tuple[list[Match], list[Match]]:
    first: dict[UUID, Match] = {}
    rest: list[Match] = []
    for match in matches:
        if match.message_id in first:
            rest.append(match)
        else:
            first[match.message_id] = match
    return list(first.values()), rest


def _apply_round(batch: Sequence[Match], now: dt.datetime) -> dict[int, tuple[str, str]]:
    moved = settlement.apply(
        [_move(match) for match in batch],
        {match.campaign_id for match in batch},
        key=_cause(batch),
        now=now,
    )
    # The carrier did the work of that attempt: it keeps its money.
    late = [match for match in batch if match.is_replaced]
    refunds.withdraw([(match.message_id, match.attempt) for match in late])
    refused = {move.message_id for move in moved.refused}
    waiting = _not_recorded_yet([m for m in batch if m.message_id in refused])
    ended: dict[int, tuple[str, str]] = {}
    for match in batch:
        if match.message_id not in refused:
            ended[match.report.id] = (states.APPLIED, "")
        elif match.is_replaced:
            ended[match.report.id] = (states.IGNORED, "old_attempt")
        elif match.message_id in waiting:
            ended[match.report.id] = (states.PARKED, "not_recorded_yet")
        else:
            ended[match.report.id] = (states.IGNORED, "no_change")
    return ended


def _cause(batch: Sequence[Match]) -> str:
    """Names this batch in the ledger: each try of a report is in one committed batch only."""
    first = min((match.report for match in batch), key=lambda report: report.id)
    return f"report:{first.id}.{first.tries}"


def _move(match: Match) -> Move:
    """Something on its way is proof of acceptance: an unknown message is sent."""
    report = match.report
    if match.is_replaced:
        return Move(
            match.message_id, states.DELIVERED, attempt=match.current, is_late=True,
            only_from=frozenset({states.QUEUED}), capture=match.is_unpaid,
        )  # fmt: skip
    status = states.SENT if match.is_part_of_more else report.state or states.SENT
    error = "" if status in (states.DELIVERED, states.SENT) else report.code or status
    return Move(
        match.message_id,
        status,
        carrier_ref=report.carrier_ref,
        error=error,
        attempt=match.attempt,
        only_from=MAY_MOVE,
    )


def _not_recorded_yet(matches: Sequence[Match]) -> set[UUID]:
    """Of these messages, those still queued or being asked for: their report came too early."""
    early = (states.QUEUED, states.SENDING)
    ids = [match.message_id for match in matches]
    if not ids:
        return set()
    return set(Message.objects.filter(id__in=ids, status__in=early).values_list("id", flat=True))


def _write(
    reports: Sequence[StoredReport], ended: dict[int, tuple[str, str]], matches: dict[int, Match],
    now: dt.datetime,
) -> None:  # fmt: skip
    rows = []
    for report in reports:
        status, reason = ended[report.id]
        if status == states.PARKED and now - report.received_at > PARKED_FOR:
            status = states.UNMATCHED
        wait = dt.timedelta(seconds=min(2**report.tries, MAX_WAIT_S))
        match = matches.get(report.id)
        rows.append(
            (
                report.id, status, reason, match.message_id if match else None, report.tries + 1,
                now + wait if status == states.PARKED else None,
                None if status == states.PARKED else now,
            )
        )  # fmt: skip
    columns = {
        "id": db.INT, "status": db.TEXT, "reason": db.TEXT, "message_id": db.UUID_,
        "tries": db.INT, "next_try_at": db.TIME, "ended_at": db.TIME,
    }  # fmt: skip
    db.update(REPORTS, columns, rows)
    counts = Counter(status for status, _ in ended.values())
    if counts:
        logger.info("bulksms: reports taken: %s", dict(counts))
