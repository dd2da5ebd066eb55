"""Refunds after capture: a carrier's own table says for which ends the money goes back.

``BULKSMS["CARRIERS"][name]["REFUNDS"] = {"undelivered": "refund", "undelivered:027": "keep"}``: the
key is a final state, or a state and the carrier's report code; the more exact one wins; what is not
named is kept. The rule is looked up when the message ends and the money goes back ``WAIT`` later,
so that a late "delivered" finds nothing refunded: it withdraws the refund. One that comes even
later is shown as the state table allows, and what was refunded stays refunded.

A forged report would be worth money, so these tables count only for carriers whose reports are
authenticated (a system check refuses the others).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from bulksms import conf, db, states
from bulksms.models import Message, MessageAttempt, Refund
from bulksms.services import routing, wallet

#: How long captured money waits before it goes back, from the moment the message ended.
WAIT = dt.timedelta(hours=72)
BATCH = 500

REFUND, KEEP = "refund", "keep"
ACTIONS = frozenset({REFUND, KEEP})
#: The ends that may be refunded: a carrier took the message and it did not (provably) arrive.
STATES = frozenset({states.UNDELIVERED, states.EXPIRED, states.REJECTED, states.UNCONFIRMED})

REFUNDS, MESSAGES = Refund._meta.db_table, Message._meta.db_table
ATTEMPTS = MessageAttempt._meta.db_table


# The table


def rules(carrier: str) -> Mapping[str, str]:
    """The refund table of a carrier as configured; empty = everything is kept."""
    table: Mapping[str, str] = conf.settings.CARRIERS.get(carrier, {}).get("REFUNDS") or {}
    return table


def is_trusted(carrier: str) -> bool:
    """Whether the carrier's reports are authenticated: signed, or vouched for by TRUST_REPORTS.

    An unguessable callback address alone does not count: it stands in logs and at the carrier.
    """
    vouched = conf.settings.CARRIERS.get(carrier, {}).get("TRUST_REPORTS") is True
    try:
        return vouched or routing.carrier(carrier).signs_reports
    except ImproperlyConfigured:  # it was removed from the settings; its messages live on
        return False


def gives_back(carrier: str, status: str, error: str) -> bool:
    """Whether a captured message that ended like this is refunded."""
    table = rules(carrier)
    if not table or status not in STATES or not is_trusted(carrier):
        return False
    return table.get(f"{status}:{error}", table.get(status, KEEP)) == REFUND


# When messages end


class Ended(NamedTuple):
    """A (locked) message that has just come to a final state with its cost captured."""

    message_id: UUID
    attempt: int
    hold_id: int
    carrier: str
    status: str
    error: str
    cost_micros: int


def expect(ended: Iterable[Ended], now: dt.datetime) -> None:
    """Note the refunds of messages that have just ended; inside their transaction."""
    due = now + WAIT
    rows = [
        (row.message_id, row.attempt, row.hold_id, row.cost_micros, due)
        for row in ended
        if row.cost_micros and gives_back(row.carrier, row.status, row.error)
    ]
    columns = {
        "message_id": db.UUID_, "attempt": db.INT, "hold_id": db.INT, "amount_micros": db.INT,
        "due_at": db.TIME,
    }  # fmt: skip
    db.insert_new(REFUNDS, columns, rows, returning="id")


def withdraw(tries: Sequence[tuple[UUID, int]]) -> int:
    """Give up what still waits for these (message, attempt) pairs; returns how many that were."""
    if not tries:
        return 0
    source, params = db.values({"v_message": db.UUID_, "v_attempt": db.INT}, sorted(set(tries)))
    return db.execute(
        f"DELETE FROM {REFUNDS} WHERE paid_at IS NULL AND EXISTS (SELECT 1 FROM {source}"
        " WHERE v_message = message_id AND v_attempt = attempt)",
        params,
    )


# When their time has come


class _Due(NamedTuple):
    id: int
    message_id: UUID
    attempt: int
    hold_id: int
    amount_micros: int


def pay_due(now: dt.datetime) -> int:
    """Give back what is due, a batch per transaction; returns how many messages were refunded.

    What belongs to a wallet that somebody holds at the moment stays due.
    """
    paid = 0
    while True:
        with transaction.atomic():
            taken, refunded = _pay_batch(now)
        paid += refunded
        if taken < BATCH or not refunded:
            return paid


def _pay_batch(now: dt.datetime) -> tuple[int, int]:
    """(how many were due in this batch, how many of them were refunded)."""
    waiting = Refund.objects.filter(paid_at=None, due_at__lte=now).order_by("due_at", "id")
    ids = sorted(set(waiting.values_list("message_id", flat=True)[:BATCH]))
    if not ids:
        return 0, 0
    attempts = _lock_messages(ids)
    due = _lock_due(ids, now)
    current, replaced = _captured(due, attempts)
    _drop([row for row in due if row.id not in current and row.id not in replaced])
    rows = [row for row in due if row.id in current or row.id in replaced]
    holds = _refund(rows, now)
    paid = [row for row in rows if row.hold_id in holds]
    _record(MESSAGES, "id", db.UUID_, [row for row in paid if row.id in current], current)
    _record(ATTEMPTS, "id", db.INT, [row for row in paid if row.id in replaced], replaced)
    db.update(REFUNDS, {"id": db.INT, "paid_at": db.TIME}, [(row.id, now) for row in paid])
    return len(due), len(paid)


def _lock_messages(ids: Sequence[UUID]) -> dict[UUID, tuple[int, str]]:
    """Message -> (its attempt, its charge): locked before refunds, holds and wallets."""
    those, params = db.matching("id", db.UUID_, ids)
    sql = f"SELECT id, attempt, charge FROM {MESSAGES} WHERE {those} ORDER BY id{db.for_update()}"
    rows = db.fetch(sql, params, (db.UUID_, db.INT, db.TEXT))
    return {id_: (attempt, charge) for id_, attempt, charge in rows}


def _lock_due(ids: Sequence[UUID], now: dt.datetime) -> list[_Due]:
    those, params = db.matching("message_id", db.UUID_, ids)
    columns = ", ".join(_Due._fields)
    sql = (
        f"SELECT {columns} FROM {REFUNDS} WHERE paid_at IS NULL AND due_at <= %s AND {those}"
        f" ORDER BY id{db.for_update()}"
    )
    kinds = (db.INT, db.UUID_, db.INT, db.INT, db.INT)
    return [_Due._make(row) for row in db.fetch(sql, [now, *params], kinds)]


def _captured(
    due: Sequence[_Due], attempts: Mapping[UUID, tuple[int, str]]
) -> tuple[dict[int, UUID], dict[int, int]]:
    """Refund -> message, where it is of the current attempt; refund -> replaced attempt's row."""
    current: dict[int, UUID] = {}
    old: dict[tuple[UUID, int], int] = {}
    for row in due:
        attempt, charge = attempts.get(row.message_id, (0, ""))
        if attempt != row.attempt:
            old[row.message_id, row.attempt] = row.id
        elif charge == states.CAPTURED:
            current[row.id] = row.message_id
    found = MessageAttempt.objects.filter(message_id__in=[message for message, _ in old])
    rows = found.filter(charge=states.CAPTURED).values_list("message_id", "attempt", "id")
    replaced = {old[message, n]: id_ for message, n, id_ in rows if (message, n) in old}
    return current, replaced


def _drop(rows: Sequence[_Due]) -> None:
    """Nothing is captured for them any more (pruned, say): there is nothing to give back."""
    if rows:
        those, params = db.matching("id", db.INT, [row.id for row in rows])
        db.execute(f"DELETE FROM {REFUNDS} WHERE {those}", params)


def _refund(rows: Sequence[_Due], now: dt.datetime) -> set[int]:
    """Give the money of these refunds back; returns the holds for which it was possible.

    A ledger key names its first refund: each is paid once, so the key is used once.
    """
    amounts: Counter[int] = Counter()
    causes: dict[int, str] = {}
    for row in rows:
        amounts[row.hold_id] += row.amount_micros
        causes.setdefault(row.hold_id, f"{row.id}:{row.hold_id}")
    return wallet.refund(amounts, causes, now)


def _record(table: str, key: str, kind: str, paid: Sequence[_Due], keys: Mapping[int, Any]) -> None:
    columns = {key: kind, "charge": db.TEXT, "refunded_micros": db.INT}
    rows = [(keys[row.id], states.REFUNDED, row.amount_micros) for row in paid]
    db.update(table, columns, rows)
