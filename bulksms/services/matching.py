"""Matching: which message, and which of its attempts, a delivery report speaks of.

By our own reference first, then by the carrier's id, of the current attempt or of a replaced one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db.models import F, Q

from bulksms import db
from bulksms.models import Message, MessageAttempt

MESSAGES = Message._meta.db_table

#: What may follow the message id in a reference of ours.
ATTEMPT = re.compile(r"-[1-9][0-9]{0,3}", re.ASCII)


class StoredReport(NamedTuple):
    """What of a stored report decides what it does."""

    id: int
    carrier: str
    carrier_ref: str
    reference: str
    state: str
    code: str
    part: str
    tries: int
    received_at: dt.datetime


class Match(msgspec.Struct, frozen=True):
    """A report and the message it speaks of."""

    report: StoredReport
    message_id: UUID
    campaign_id: UUID
    attempt: int
    #: The attempt that the message is on now.
    current: int
    #: The money of this replaced attempt went to the one that replaced it.
    is_unpaid: bool = False
    #: It speaks of one part that arrived, and others of its message have not yet.
    is_part_of_more: bool = False

    @property
    def is_replaced(self) -> bool:
        return self.attempt < self.current


def _split_reference(reference: str) -> tuple[UUID, int] | None:
    """Our reference is ``<message id>`` or ``<message id>-<attempt>``; None = it is not ours."""
    tail = reference[36:]
    if tail and not ATTEMPT.fullmatch(tail):
        return None
    try:
        return UUID(reference[:36]), int(tail[1:] or 1)
    except ValueError:
        return None


def match(reports: Sequence[StoredReport]) -> dict[int, Match]:
    """Report id -> its message: by our reference first, then by the carrier's id."""
    by_reference = {r.id: ours for r in reports if (ours := _split_reference(r.reference))}
    known = _messages_by_id({message_id for message_id, _ in by_reference.values()})
    by_reference = {id_: ours for id_, ours in by_reference.items() if ours[0] in known}
    others = [r for r in reports if r.id not in by_reference and r.carrier_ref]
    by_carrier = _messages_by_carrier_ref(others)
    matches: dict[int, Match] = {}
    for report in reports:
        ours = by_reference.get(report.id)
        row = known.get(ours[0]) if ours else by_carrier.get(_key(report))
        if row is None or row[2] != report.carrier or (ours and ours[1] > row[3]):
            continue
        spoken_of = ours[1] if ours else row[4]
        matches[report.id] = Match(report, row[0], row[1], spoken_of, row[3])
    return matches


def _key(report: StoredReport) -> tuple[str, str]:
    return report.carrier, report.carrier_ref


#: Message id, campaign id, carrier, its current attempt, the attempt that was found.
_Row = tuple[UUID, UUID, str, int, int]


_KINDS = (db.UUID_, db.UUID_, db.TEXT, db.INT, db.INT)


def _messages_by_id(ids: set[UUID]) -> dict[UUID, _Row]:
    if not ids:
        return {}
    those, params = db.matching("id", db.UUID_, list(ids))
    sql = f"SELECT id, campaign_id, carrier, attempt, attempt FROM {MESSAGES} WHERE {those}"
    return {row[0]: row for row in db.fetch(sql, params, _KINDS)}


def _messages_by_carrier_ref(reports: Sequence[StoredReport]) -> dict[tuple[str, str], _Row]:
    """By the carrier's id of the current attempt, or else of a replaced one."""
    found: dict[tuple[str, str], _Row] = {}
    for carrier in {report.carrier for report in reports}:
        refs = {report.carrier_ref for report in reports if report.carrier == carrier}
        # The index leaves empty ids out. PostgreSQL sees that it serves a list only if told so.
        those = Q(carrier=carrier, carrier_ref__in=refs) & ~Q(carrier_ref="")
        replaced = MessageAttempt.objects.filter(those)
        late = list(replaced.values_list("message_id", "carrier_ref", "attempt"))
        known = _messages_by_id({message_id for message_id, _, _ in late})
        for message_id, ref, attempt in late:
            if message_id in known:
                found[carrier, ref] = (*known[message_id][:4], attempt)
        # A carrier may use an id again: the newest message that still waits for a report is meant.
        rows = Message.objects.filter(those).order_by(F("done_at").desc(nulls_last=True), "id")
        columns = ("carrier_ref", "id", "campaign_id", "carrier", "attempt", "attempt")
        for ref, *row in rows.values_list(*columns):
            found[carrier, ref] = (row[0], row[1], row[2], row[3], row[4])
    return found
