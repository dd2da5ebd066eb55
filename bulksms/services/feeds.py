"""Following finished messages: pages in order of ``done_at`` that never miss a row.

The signals are sent at most once; this is the durable way. A reader keeps the cursor of its last
page where it keeps its own results, and asks again. docs/decisions/0007-done-feed.md argues why
nothing is missed, docs/howto/follow_messages.md has the loop.

A moment is read before the transaction that writes it commits, and transactions commit in any
order. So a page ends before the oldest transaction that may still write: what is older is complete.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from uuid import UUID

from django.apps import apps
from django.db import connection, transaction

from bulksms import clock, db
from bulksms.models import Message, Organisation

#: What may lie between reading the clock and the first lock of a transaction, and between the
#: clocks of two machines, the database's included.
MARGIN = dt.timedelta(seconds=5)
MAX_LIMIT = 10_000

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CURSOR = re.compile(r"([0-9]{1,19})\.([0-9]{1,17})\.([0-9a-f]{32})", re.ASCII)

# Since when each transaction is open that has written or locked a row of ours; null = we may not
# see it (another role's).
_WRITERS = """
SELECT a.xact_start FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.relation IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
"""
_PAGE = f"""
SELECT id, campaign_id, number, status, error, error_detail, units, cost_micros, attempt, sent_at,
  delivered_at, done_at
FROM {Message._meta.db_table}
WHERE organisation_id = %s AND done_at IS NOT NULL AND (done_at, id) > (%s, %s) AND done_at < %s
ORDER BY done_at, id LIMIT %s
"""
_KINDS = (
    db.UUID_, db.UUID_, db.TEXT, db.TEXT, db.TEXT, db.TEXT, db.INT, db.INT, db.INT, db.TIME,
    db.TIME, db.TIME,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DoneMessage:
    """A message of which nothing more is expected. ``number`` is E.164 digits."""

    id: UUID
    campaign_id: UUID
    number: str = field(repr=False)
    status: str
    error: str
    error_detail: str = field(repr=False)
    units: int
    cost_micros: int
    attempt: int
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None
    done_at: dt.datetime


@dataclass(frozen=True, slots=True)
class DonePage:
    """Messages in order of (``done_at``, ``id``), and where the next page starts.

    No messages = nothing new by now. ``cursor`` is opaque text of at most 100 characters.
    """

    messages: tuple[DoneMessage, ...]
    cursor: str


def messages_done_since(
    *, organisation: Organisation, cursor: str | None = None, limit: int = 1000
) -> DonePage:
    """The organisation's messages that were finished after ``cursor`` (None or "": all of them).

    At least once, in order, nothing missed: a message that is retried and finishes again appears
    again. A page lags ``MARGIN`` behind, and longer while a transaction that touches bulksms stays
    open. Call it outside of transactions of your own.

    Raises ValueError for a limit out of 1..10,000 and a cursor that is not this organisation's.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {MAX_LIMIT}.")
    done_at, id_ = _read(cursor, organisation.pk) if cursor else (_EPOCH, UUID(int=0))
    with _no_writer():
        until = _horizon()
        found = _rows(organisation.pk, done_at, id_, until, limit) if until else []
    if found:
        done_at, id_ = found[-1].done_at, found[-1].id
    nothing_ever = not found and not cursor
    return DonePage(tuple(found), "" if nothing_ever else _write(organisation.pk, done_at, id_))


def _rows(
    organisation_id: int, done_at: dt.datetime, id_: UUID, until: dt.datetime, limit: int
) -> list[DoneMessage]:
    params = (organisation_id, done_at, id_, until, limit)
    return [DoneMessage(*row) for row in db.fetch(_PAGE, params, _KINDS)]


# How far a page may go


def _no_writer() -> transaction.Atomic | nullcontext[None]:
    """SQLite has one writer and tells nobody since when: it is kept out for the moment.

    On PostgreSQL the page must see more than the horizon did: each statement its own snapshot.
    """
    if not db.is_postgresql():
        return transaction.atomic()
    _check_isolation()
    return nullcontext()


def _check_isolation() -> None:
    """In an older snapshot, rows that were committed since would be passed over unseen."""
    if not connection.in_atomic_block:
        return
    level = db.fetch("SELECT current_setting('transaction_isolation')", (), (db.TEXT,))[0][0]
    if level != "read committed":
        raise RuntimeError(f"messages_done_since in a transaction that is {level}: call it outside")


def _horizon() -> dt.datetime | None:
    """No transaction that is not visible yet will finish a message before this; None = no telling.

    The clock is read first: what begins afterwards reads a later one.
    """
    now = clock.now()
    if not db.is_postgresql():
        return now - MARGIN - _longest_wait()
    tables = [model._meta.db_table for model in apps.get_app_config("bulksms").get_models()]
    since = [row[0] for row in db.fetch(_WRITERS, [tables], (db.TIME,))]
    # The database's clock cannot be compared with one that jumps.
    if None in since or (since and clock.is_virtual()):
        return None
    oldest: dt.datetime = min([now, *since])
    return oldest - MARGIN


def _longest_wait() -> dt.timedelta:
    """For the one write lock of SQLite, after reading the clock. Its default is five seconds."""
    options = connection.settings_dict.get("OPTIONS") or {}
    return dt.timedelta(seconds=float(options.get("timeout", 5)))


# Cursors


def _write(organisation_id: int, done_at: dt.datetime, id_: UUID) -> str:
    micros = (done_at - _EPOCH) // dt.timedelta(microseconds=1)
    return f"{organisation_id}.{micros}.{id_.hex}"


def _read(text: str, organisation_id: int) -> tuple[dt.datetime, UUID]:
    found = _CURSOR.fullmatch(text)
    if not found or int(found[1]) != organisation_id:
        raise ValueError("This is no cursor of this organisation's finished messages.")
    return _EPOCH + dt.timedelta(microseconds=int(found[2])), UUID(found[3])
