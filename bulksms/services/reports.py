"""Delivery reports: stored raw and once, then matched and applied in batches.

The carrier is answered as soon as its reports are stored. Applying is idempotent, in any order: the
state table never lets a final state go back.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from bulksms import clock, db, queues, states
from bulksms.carriers.base import ParsedReport
from bulksms.models import Message, MessageAttempt, Report
from bulksms.services import attempts, settlement
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
#: What may follow the message id in a reference of ours.
ATTEMPT = re.compile(r"-[1-9][0-9]{0,3}", re.ASCII)

_STORED = {
    "carrier": db.TEXT, "dedupe_key": db.TEXT, "carrier_ref": db.TEXT, "reference": db.TEXT,
    "state": db.TEXT, "code": db.TEXT, "raw": db.TEXT, "status": db.TEXT, "reason": db.TEXT,
    "tries": db.INT, "received_at": db.TIME,
}  # fmt: skip


def store(carrier: str, reports: Sequence[ParsedReport]) -> int:
    """Keep reports as received, each once; returns how many were new. Wakes the apply step."""
    now = clock.now()
    rows = [
        (
            carrier, _clean(r.dedupe_key), _clean(r.carrier_ref), _clean(r.reference), r.state,
            _clean(r.code), _clean(r.raw), states.NEW, "", 0, now,
        )
        for r in reports
    ]  # fmt: skip
    with transaction.atomic():
        new = db.insert_new(REPORTS, _STORED, rows, returning="id")
        if new:
            queues.wake(queues.APPLY_REPORTS)
    return len(new)


def _clean(text: str) -> str:
    """What a database takes: NUL and halves of surrogate pairs become question marks."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class _Match:
    """A report and the message it speaks of."""

    report: Report
    message_id: UUID
    campaign_id: UUID
    attempt: int
    #: The attempt that the message is on now.
    current: int

    @property
    def is_replaced(self) -> bool:
        return self.attempt < self.current


def apply_once(limit: int = BATCH) -> int:
    """Apply up to ``limit`` stored reports in one transaction; returns how many it took."""
    now = clock.now()
    with transaction.atomic():
        reports = list(
            Report.objects.select_for_update(skip_locked=True)
            .filter(status=states.NEW)
            .order_by("id")[:limit]
        )
        matches = _match(reports)
        ended = _apply(reports, matches, now)
        _write(reports, ended, matches, now)
    if len(reports) == limit:
        queues.wake(queues.APPLY_REPORTS)
    return len(reports)


# Matching


def _split_reference(reference: str) -> tuple[UUID, int] | None:
    """Our reference is ``<message id>`` or ``<message id>-<attempt>``; None = it is not ours."""
    tail = reference[36:]
    if tail and not ATTEMPT.fullmatch(tail):
        return None
    try:
        return UUID(reference[:36]), int(tail[1:] or 1)
    except ValueError:
        return None


def _match(reports: Sequence[Report]) -> dict[int, _Match]:
    """Report id -> its message: by our reference first, then by the carrier's id."""
    by_reference = {r.pk: ours for r in reports if (ours := _split_reference(r.reference))}
    others = [r for r in reports if r.pk not in by_reference and r.carrier_ref]
    known = _messages_by_id({message_id for message_id, _ in by_reference.values()})
    by_carrier = _messages_by_carrier_ref(others)
    matches: dict[int, _Match] = {}
    for report in reports:
        ours = by_reference.get(report.pk)
        row = known.get(ours[0]) if ours else by_carrier.get(_key(report))
        if row is None or row[2] != report.carrier or (ours and ours[1] > row[3]):
            continue
        spoken_of = ours[1] if ours else row[4]
        matches[report.pk] = _Match(report, row[0], row[1], spoken_of, row[3])
    return matches


def _key(report: Report) -> tuple[str, str]:
    return report.carrier, report.carrier_ref


#: Message id, campaign id, carrier, its current attempt, the attempt that was found.
_Row = tuple[UUID, UUID, str, int, int]


def _messages_by_id(ids: set[UUID]) -> dict[UUID, _Row]:
    rows = Message.objects.filter(id__in=ids) if ids else Message.objects.none()
    columns = ("id", "campaign_id", "carrier", "attempt", "attempt")
    return {row[0]: row for row in rows.values_list(*columns)}


def _messages_by_carrier_ref(reports: Sequence[Report]) -> dict[tuple[str, str], _Row]:
    """By the carrier's id of the current attempt, or else of a replaced one."""
    found: dict[tuple[str, str], _Row] = {}
    for carrier in {report.carrier for report in reports}:
        refs = {report.carrier_ref for report in reports if report.carrier == carrier}
        replaced = MessageAttempt.objects.filter(carrier=carrier, carrier_ref__in=refs)
        late = dict(replaced.values_list("message_id", "carrier_ref"))
        numbers = dict(replaced.values_list("carrier_ref", "attempt"))
        for id_, row in _messages_by_id(set(late)).items():
            found[carrier, late[id_]] = (*row[:4], numbers[late[id_]])
        rows = Message.objects.filter(carrier=carrier, carrier_ref__in=refs)
        columns = ("carrier_ref", "id", "campaign_id", "carrier", "attempt", "attempt")
        for ref, *row in rows.values_list(*columns):
            found[carrier, ref] = (row[0], row[1], row[2], row[3], row[4])
    return found


# Applying


def _apply(
    reports: Sequence[Report], matches: dict[int, _Match], now: dt.datetime
) -> dict[int, tuple[str, str]]:
    """Report id -> (its new status, the reason)."""
    ended = {r.pk: (states.PARKED, "no_match") for r in reports if r.pk not in matches}
    remaining = [matches[r.pk] for r in reports if r.pk in matches]
    old = [match for match in remaining if match.is_replaced]
    ended |= {match.report.pk: (states.IGNORED, "old_attempt") for match in old}
    remaining = [match for match in remaining if not match.is_replaced]
    while remaining:  # one report per message in a round: their order is kept
        batch, remaining = _first_of_each(remaining)
        ended |= _apply_round(batch, now)
    late = sorted((m.message_id, m.attempt, m.report.state) for m in old)
    attempts.note_late(late, now)
    return ended


def _first_of_each(matches: Sequence[_Match]) -> tuple[list[_Match], list[_Match]]:
    first: dict[UUID, _Match] = {}
    rest: list[_Match] = []
    for match in matches:
        if match.message_id in first:
            rest.append(match)
        else:
            first[match.message_id] = match
    return list(first.values()), rest


def _apply_round(batch: Sequence[_Match], now: dt.datetime) -> dict[int, tuple[str, str]]:
    moves = [_move(match.report, match.message_id, match.attempt) for match in batch]
    moved = settlement.apply(
        moves, {match.campaign_id for match in batch}, key=_cause(batch), now=now
    )
    refused = {move.message_id for move in moved.refused}
    waiting = _not_recorded_yet([m for m in batch if m.message_id in refused])
    ended: dict[int, tuple[str, str]] = {}
    for match in batch:
        if match.message_id not in refused:
            ended[match.report.pk] = (states.APPLIED, "")
        elif match.message_id in waiting:
            ended[match.report.pk] = (states.PARKED, "not_recorded_yet")
        else:
            ended[match.report.pk] = (states.IGNORED, "no_change")
    return ended


def _cause(batch: Sequence[_Match]) -> str:
    """Names this batch in the ledger: each try of a report is in one committed batch only."""
    first = min((match.report for match in batch), key=lambda report: report.pk)
    return f"report:{first.pk}.{first.tries}"


def _move(report: Report, message_id: UUID, attempt: int) -> Move:
    """Something on its way is proof of acceptance: an unknown message is sent."""
    status = report.state or states.SENT
    error = "" if status in (states.DELIVERED, states.SENT) else report.code or status
    return Move(
        message_id,
        status,
        carrier_ref=report.carrier_ref,
        error=error,
        attempt=attempt,
        only_from=MAY_MOVE,
    )


def _not_recorded_yet(matches: Sequence[_Match]) -> set[UUID]:
    """Of these messages, those still queued or being asked for: their report came too early."""
    early = (states.QUEUED, states.SENDING)
    ids = [match.message_id for match in matches]
    if not ids:
        return set()
    return set(Message.objects.filter(id__in=ids, status__in=early).values_list("id", flat=True))


def _write(
    reports: Sequence[Report], ended: dict[int, tuple[str, str]], matches: dict[int, _Match],
    now: dt.datetime,
) -> None:  # fmt: skip
    rows = []
    for report in reports:
        status, reason = ended[report.pk]
        if status == states.PARKED and now - report.received_at > PARKED_FOR:
            status = states.UNMATCHED
        wait = dt.timedelta(seconds=min(2**report.tries, MAX_WAIT_S))
        match = matches.get(report.pk)
        rows.append(
            (
                report.pk, status, reason, match.message_id if match else None, report.tries + 1,
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
