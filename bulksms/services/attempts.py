"""Attempts: a message on its second funded try keeps the first one, word for word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from bulksms import db, states
from bulksms.models import Message, MessageAttempt

MESSAGES, ATTEMPTS = Message._meta.db_table, MessageAttempt._meta.db_table

_SAME = (
    "attempt", "status", "error", "error_detail", "carrier", "carrier_ref", "asked_at", "sent_at",
    "done_at",
)  # fmt: skip
_MONEY = (
    "units", "unit_price_micros", "cost_micros", "hold_id", "charge", "captured_micros",
    "refunded_micros",
)  # fmt: skip
#: What a copy says of its money when the new attempt takes the hold over.
_TAKEN_OVER = f"units, 0, 0, NULL, '{states.NONE}', 0, 0"


def replace(ids: Sequence[UUID], now: dt.datetime, *, take_over_hold: bool) -> None:
    """Copy the (locked) rows' attempts away and start the next one: ``attempt`` + 1, no carrier id.

    ``take_over_hold``: what is held for the old attempt now pays for the new one (a resend of an
    unknown message); otherwise the old attempt keeps its money and the caller brings a new hold.
    """
    those, params = db.matching("id", db.UUID_, sorted(ids))
    same, money = ", ".join(_SAME), ", ".join(_MONEY)
    source = _TAKEN_OVER if take_over_hold else money
    db.execute(
        f"INSERT INTO {ATTEMPTS} (message_id, replaced_at, late_status, {same}, {money})"
        f" SELECT id, %s, '', {same}, {source} FROM {MESSAGES} WHERE {those}",
        [now, *params],
    )
    db.execute(
        f"UPDATE {MESSAGES} SET attempt = attempt + 1, carrier_ref = '' WHERE {those}", params
    )


def taken_over(tries: Sequence[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Of (message, attempt) pairs, those whose money pays for the attempt that replaced them."""
    rows = MessageAttempt.objects.filter(
        message_id__in=[id_ for id_, _ in tries], hold=None, status=states.UNKNOWN
    )
    return set(tries) & set(rows.values_list("message_id", "attempt"))


def note_late(found: Sequence[tuple[UUID, int, str]], now: dt.datetime) -> None:
    """Write down what a report said of a replaced attempt: (message id, attempt, status)."""
    if not found:
        return
    columns = {"v_m": db.UUID_, "v_a": db.INT, "v_s": db.TEXT}
    source, params = db.values(columns, found)
    db.execute(
        f"UPDATE {ATTEMPTS} AS t SET late_status = v.v_s, late_at = %s FROM {source}"
        " WHERE t.message_id = v.v_m AND t.attempt = v.v_a",
        [now, *params],
    )
