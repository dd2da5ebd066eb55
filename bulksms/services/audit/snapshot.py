"""One moment to look at: what commits while the audit runs is not seen by half."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from bulksms import db


@contextmanager
def snapshot() -> Iterator[None]:
    """Reads in this block all see the same moment and block no writer; nothing can be written.

    Inside a transaction of the caller's it is that one's view that counts.
    """
    if connection.in_atomic_block:
        yield
    elif db.is_postgresql():
        with transaction.atomic():
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        with _sqlite_read():
            yield


@contextmanager
def _sqlite_read() -> Iterator[None]:
    """``atomic()`` would begin IMMEDIATE, and keep every writer out until we are done."""
    db.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
