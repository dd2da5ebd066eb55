"""What is looked at after every step: all rows, every move of a state, and the whole audit.

The moves are noted by triggers in the database and not by the app. The audit's statements are
prepared as one, so that asking all of them takes a few milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.sql.compiler import SQLCompiler

from bulksms import db
from bulksms.models import (
    Campaign,
    Hold,
    LedgerEntry,
    Message,
    MessageAttempt,
    Run,
    SenderId,
    Submission,
    Wallet,
)
from bulksms.services import audit
from bulksms.services.audit.requests import ABANDONED

MOVES = "soak_moves"
_TABLES = {Message._meta.db_table: "message", Submission._meta.db_table: "submission"}


@dataclass
class Snapshot:
    """All rows that an invariant may want, by id, as they are now."""

    messages: dict[Any, Message] = field(default_factory=dict)
    attempts: dict[Any, MessageAttempt] = field(default_factory=dict)
    campaigns: dict[Any, Campaign] = field(default_factory=dict)
    holds: dict[Any, Hold] = field(default_factory=dict)
    wallets: dict[Any, Wallet] = field(default_factory=dict)
    runs: dict[Any, Run] = field(default_factory=dict)
    submissions: dict[Any, Submission] = field(default_factory=dict)
    senders: set[tuple[int, str]] = field(default_factory=set)
    #: Per wallet: what the ledger says is available and owed.
    ledger: dict[int, tuple[int, int]] = field(default_factory=dict)

    def rows(self) -> Iterable[tuple[str, Any, int | None, tuple[Any, ...]]]:
        """(table, id, organisation, all columns) of everything a tenant owns."""
        for name in ("messages", "campaigns", "wallets", "runs"):
            for id_, row in getattr(self, name).items():
                yield name, id_, row.organisation_id, _columns(row)
        for id_, row in self.holds.items():
            yield "holds", id_, self.wallets[row.wallet_id].organisation_id, _columns(row)
        for id_, row in self.attempts.items():
            yield "attempts", id_, self.messages[row.message_id].organisation_id, _columns(row)

    def by_organisation(self) -> dict[int | None, list[Any]]:
        found: dict[int | None, list[Any]] = {}
        for name, id_, organisation, columns in self.rows():
            found.setdefault(organisation, []).append((name, id_, columns))
        return found


def _columns(row: Any) -> tuple[Any, ...]:
    return tuple(value for name, value in vars(row).items() if name != "_state")


_LEDGER = f"""
SELECT wallet_id,
  CAST(sum(CASE 'available' WHEN target THEN amount_micros WHEN source THEN -amount_micros
    ELSE 0 END) AS bigint),
  CAST(sum(CASE 'owed' WHEN source THEN amount_micros WHEN target THEN -amount_micros
    ELSE 0 END) AS bigint)
FROM {LedgerEntry._meta.db_table} GROUP BY wallet_id
"""


_APPROVED = f"""
SELECT organisation_id, name FROM {SenderId._meta.db_table}
WHERE status = '{SenderId.STATUS.approved}'
"""


def take() -> Snapshot:
    """Read everything."""
    rows = db.fetch(_LEDGER, (), (db.INT, db.INT, db.INT))
    return Snapshot(
        messages=_by_id(Message), attempts=_by_id(MessageAttempt), campaigns=_by_id(Campaign),
        holds=_by_id(Hold), wallets=_by_id(Wallet), runs=_by_id(Run),
        submissions=_by_id(Submission),
        senders=set(db.fetch(_APPROVED, (), (db.INT, db.TEXT))),
        ledger={row[0]: (row[1], row[2]) for row in rows},
    )  # fmt: skip


def _by_id(model: type[Model]) -> dict[Any, Any]:
    sql, compiler, names = _compiled(model)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: Iterable[Any] = cursor.fetchall()
    if converters := compiler.get_converters([column for column, _, _ in compiler.select]):
        rows = compiler.apply_converters(rows, converters)
    return {row.pk: row for row in (model.from_db("default", names, each) for each in rows)}


@cache
def _compiled(model: type[Model]) -> tuple[str, SQLCompiler, list[str]]:
    """Django's own SELECT of all rows, built once: that takes longer than to read some rows."""
    compiler = model._default_manager.order_by("pk").query.get_compiler("default")
    sql, _ = compiler.as_sql()
    return sql, compiler, [field.attname for field in model._meta.concrete_fields]


# Moves


def begin() -> PreparedAudit:
    """From now on the database notes every move; outside of any transaction."""
    end()
    db.execute(f"CREATE TABLE {MOVES} (noun text, row_id text, old text, new text)")
    for table, noun in _TABLES.items():
        for sql in _trigger(table, noun):
            db.execute(sql)
    return PreparedAudit()


def _trigger(table: str, noun: str) -> list[str]:
    if not db.is_postgresql():
        return [
            f"CREATE TRIGGER soak_{noun} AFTER UPDATE OF status ON {table}"
            f" WHEN OLD.status <> NEW.status BEGIN INSERT INTO {MOVES}"
            f" VALUES ('{noun}', NEW.id, OLD.status, NEW.status); END"
        ]
    return [
        f"CREATE FUNCTION soak_{noun}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO {MOVES} VALUES ('{noun}', NEW.id::text, OLD.status, NEW.status);"
        " RETURN NULL; END $$",
        f"CREATE TRIGGER soak_{noun} AFTER UPDATE OF status ON {table} FOR EACH ROW"
        f" WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION soak_{noun}()",
    ]


def end() -> None:
    """Take the triggers away again."""
    for table, noun in _TABLES.items():
        on = f" ON {table}" if db.is_postgresql() else ""
        db.execute(f"DROP TRIGGER IF EXISTS soak_{noun}{on}")
        if db.is_postgresql():
            db.execute(f"DROP FUNCTION IF EXISTS soak_{noun}")
    db.execute(f"DROP TABLE IF EXISTS {MOVES}")


def moves() -> Counter[tuple[str, str, str]]:
    """(noun, old, new) of every move since the last call."""
    rows = db.fetch(f"SELECT noun, old, new FROM {MOVES}", (), (db.TEXT, db.TEXT, db.TEXT))
    db.execute(f"DELETE FROM {MOVES}")
    return Counter((str(a), str(b), str(c)) for a, b, c in rows)


# The audit


#: What the tick may be late with. Here time jumps by days between two ticks, so that these are
#: asked only at the end, by the audit itself.
OVERDUE = ("no hold beyond its time",)


class PreparedAudit:
    """All checks of the audit in one statement, planned once for this connection."""

    _numbers = count(1)

    def __init__(self) -> None:
        self._queries = [
            query
            for name, queries in audit.CHECKS.items()
            for query in queries
            if name not in OVERDUE and query is not ABANDONED
        ]
        self._name = f"soak_audit_{next(self._numbers)}"
        if db.is_postgresql():
            self._prepare()

    def faults(self) -> list[str]:
        """What the audit finds now, as sentences, but for what is only overdue."""
        if db.is_postgresql():
            with connection.cursor() as cursor:
                cursor.execute(f"EXECUTE {self._name}")
                if not cursor.fetchall():
                    return []
        found = [fault for fault in audit.faults() if fault.check not in OVERDUE]
        return [str(fault) for fault in found if "lease is long over" not in fault.what]

    def _prepare(self) -> None:
        branches = [
            f"SELECT CAST(what AS text) FROM ({query.sql.replace('%%', '%')}) AS found"
            for query in self._queries
        ]
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            cursor.execute(f"PREPARE {self._name} AS {' UNION ALL '.join(branches)}")
