"""Set-based SQL for PostgreSQL and SQLite: the only module that asks which of the two it is on.

Statements elsewhere are written once. What differs stands here: how many rows are inserted (COPY or
``executemany``), how a list of values becomes a table (``unnest`` or ``json_each``), how rows are
locked, and how dates, ids and booleans are written.

The one database alias is ``default``: a check refuses a router that sends us elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, models
from django.db.backends.utils import CursorWrapper

#: SQL types by the word used for them in this package.
UUID_, TEXT, INT, BOOL, TIME = "uuid", "text", "bigint", "boolean", "timestamptz"

Row = tuple[Any, ...]


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


# Values in and out


def _to_sqlite(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, dt.datetime):
        return str(connection.ops.adapt_datetimefield_value(value))
    return value


def _from_sqlite(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == UUID_:
        return UUID(value)
    if kind == BOOL:
        return bool(value)
    if kind == TIME:
        # Django converts columns of declared types itself, expressions come as text.
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        return moment.replace(tzinfo=dt.UTC)
    return value


class _Moment:
    """Reads a timestamptz, in psycopg's protocol for loaders. Django's costs six times as much."""

    format = 0  # text

    def __init__(self, oid: int, context: object = None) -> None:
        pass

    def load(self, data: bytes) -> dt.datetime:
        return dt.datetime.fromisoformat(str(data, "ascii"))


def _params(values: Iterable[Any]) -> list[Any]:
    return list(values) if is_postgresql() else [_to_sqlite(value) for value in values]


def _rows(cursor: CursorWrapper, kinds: Sequence[str]) -> list[Row]:
    rows: list[Row] = cursor.fetchall()
    if is_postgresql():
        return rows
    return [
        tuple(_from_sqlite(value, kind) for value, kind in zip(row, kinds, strict=True))
        for row in rows
    ]


def execute(sql: str, params: Sequence[Any] = ()) -> int:
    """Run one statement; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, _params(params))
        return int(cursor.rowcount)


def fetch(sql: str, params: Sequence[Any], kinds: Sequence[str]) -> list[Row]:
    """Run one statement that returns rows, of columns of the given ``kinds`` (in order)."""
    with connection.cursor() as cursor:
        if TIME in kinds and is_postgresql():
            cursor.adapters.register_loader("timestamptz", _Moment)
        cursor.execute(sql, _params(params))
        return _rows(cursor, kinds)


# Many rows


def values(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """SQL (and its parameters) of a table ``v`` with ``columns`` (name -> kind) and ``rows``.

    For ``UPDATE t SET x = v.x FROM {sql} WHERE t.id = v.k``. One parameter per column (PostgreSQL)
    or one in all (SQLite): the statement's text does not depend on the number of rows.
    """
    if is_postgresql():
        return _unnest(columns, rows)
    picks = ", ".join(f"json_extract(value, '$[{i}]') AS {c}" for i, c in enumerate(columns))
    document = json.dumps([[_to_sqlite(value) for value in row] for row in rows])
    return f"(SELECT {picks} FROM json_each(%s)) AS v", [document]


def _unnest(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """An array per column; a column that is the same in every row (but the first) is sent once."""
    names, kinds = list(columns), list(columns.values())
    lists: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
    same = [i for i, c in enumerate(lists) if i and c and c[0] == c[-1] and c.count(c[0]) == len(c)]
    others = [i for i in range(len(names)) if i not in same]
    arrays = ", ".join(f"%s::{kinds[i]}[]" for i in others)
    picks = ", ".join(["u.*", *(f"%s::{kinds[i]} AS {names[i]}" for i in same)])
    source = f"unnest({arrays}) AS u({', '.join(names[i] for i in others)})"
    params = [lists[i][0] for i in same] + [_array(lists[i], kinds[i]) for i in others]
    return f"(SELECT {picks} FROM {source}) AS v", params


def _array(column: Sequence[Any], kind: str) -> str:
    """PostgreSQL's text of an array: psycopg's own costs a regular expression per element."""
    try:
        if kind == UUID_:
            return "{" + ",".join([value.hex for value in column]) + "}"
        if kind == TEXT and column:
            return _text_array(column)
    except (AttributeError, TypeError):  # one of them is NULL
        pass
    return "{" + ",".join([_element(value) for value in column]) + "}"


def _text_array(column: Sequence[str]) -> str:
    """Quoted as a whole: a NUL, which no text in the database has, keeps the elements apart."""
    joined = "\0".join(column).replace("\\", "\\\\").replace('"', '\\"')
    if joined.count("\0") != len(column) - 1:
        raise ValueError("a text has a NUL character, which the database cannot hold")
    return '{"' + joined.replace("\0", '","') + '"}'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def update(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *,
    keep: Container[str] = (),
) -> int:  # fmt: skip
    """Set ``columns`` (name -> kind) of many rows at once, the first column being the key.

    A None leaves a column of ``keep`` as it is. Returns how many rows were updated.
    """
    sets = {
        name: f"COALESCE(v.v_{name}, t.{name})" if name in keep else f"v.v_{name}"
        for name in columns
    }
    return _update_from(table, columns, rows, sets)


def add(table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> int:
    """Like :func:`update`, but adds the values to the columns."""
    return _update_from(table, columns, rows, {name: f"t.{name} + v.v_{name}" for name in columns})


def _update_from(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], sets: Mapping[str, str]
) -> int:
    if not rows:
        return 0
    key, *others = columns
    source, params = values({f"v_{name}": kind for name, kind in columns.items()}, rows)
    changes = ", ".join(f"{name} = {sets[name]}" for name in others)
    return execute(
        f"UPDATE {table} AS t SET {changes} FROM {source} WHERE t.{key} = v.v_{key}", params
    )


def matching(column: str, kind: str, wanted: Sequence[Any]) -> tuple[str, list[Any]]:
    """``column`` is one of ``wanted``: a condition with one parameter, however many there are."""
    if is_postgresql():
        return f"{column} = ANY(%s::{kind}[])", [_array(wanted, kind)]
    document = json.dumps([_to_sqlite(value) for value in wanted])
    return f"{column} IN (SELECT value FROM json_each(%s))", [document]


def pinned(column: str, value: UUID) -> tuple[str, list[Any]]:
    """``column`` is ``value``: a condition that keeps PostgreSQL to the indexes of that column.

    After a plain "=" the rows of one value are in the order of the primary key too. Where most rows
    have the value, it walks that key then, and behind the last of them through all that follow.
    """
    if is_postgresql():
        return f"{column} = ANY(%s::uuid[])", [[value]]
    return f"{column} = %s", [_to_sqlite(value)]


def array_has(column: str, text: str) -> tuple[str, list[Any]]:
    """The JSON array in ``column`` has ``text`` in it: a condition and its parameters."""
    if is_postgresql():
        return f"{column} @> %s::jsonb", [json.dumps([text])]
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = %s)", [text]


def has_element(column: str, element: str) -> models.Func:
    """A condition for ``filter``: ``element`` is in the JSON array of texts in ``column``."""
    values = (models.F(column), models.Value(element))
    if is_postgresql():
        return models.Func(*values, function="jsonb_exists", output_field=models.BooleanField())
    return models.Func(
        *values,
        template="EXISTS (SELECT 1 FROM json_each(%(expressions)s))",
        arg_joiner=") WHERE value = (",
        output_field=models.BooleanField(),
    )


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert many rows: COPY on PostgreSQL. ``names`` are column names of ``model``."""
    table, columns = model._meta.db_table, ", ".join(names)
    with connection.cursor() as cursor:
        if is_postgresql():
            sql = f"COPY {table} ({columns}) FROM STDIN"
            # Django wraps the errors of execute() only.
            with connection.wrap_database_errors, cursor.copy(sql) as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(names))
        adapted = [[_to_sqlite(value) for value in row] for row in rows]
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", adapted)


def insert_new(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, returning: str
) -> list[Any]:
    """Insert rows but those that break a unique constraint; ``returning`` of the new ones."""
    if not rows:
        return []
    source, params = values(columns, rows)
    names = ", ".join(columns)
    # "WHERE true" keeps SQLite from reading ON CONFLICT as the ON of a join.
    sql = (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} WHERE true"
        f" ON CONFLICT DO NOTHING RETURNING {returning}"
    )
    return [row[0] for row in fetch(sql, params, (columns.get(returning, INT),))]


def insert_or_update(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, key: Sequence[str]
) -> None:
    """Insert rows; where the unique columns ``key`` are taken, the other columns are replaced."""
    if not rows:
        return
    source, params = values(columns, rows)
    names = ", ".join(columns)
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {source} WHERE true"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sets}",
        params,
    )


# Locks


def for_update(*, skip_locked: bool = False) -> str:
    """The end of a SELECT that locks its rows. SQLite's write transactions exclude each other."""
    if not is_postgresql():
        return ""
    return " FOR UPDATE SKIP LOCKED" if skip_locked else " FOR UPDATE"


def try_lock(name: str) -> bool:
    """Take the lock called ``name`` until the transaction ends; False = another one has it.

    SQLite's write transactions exclude each other as a whole: there it is always to be had.
    """
    if not is_postgresql():
        return True
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    return bool(fetch("SELECT pg_try_advisory_xact_lock(%s)", (number,), (BOOL,))[0][0])


@contextmanager
def lock_timeout(seconds: float) -> Iterator[None]:
    """Wait at most ``seconds`` for locks in this block; inside a transaction only.

    The caller's own setting is restored, also inside the host's transaction. On SQLite the
    connection's ``timeout`` option rules.
    """
    if not is_postgresql():
        yield
        return
    before = fetch("SELECT current_setting('lock_timeout')", (), (TEXT,))[0][0]
    set_local = "SELECT set_config('lock_timeout', %s, true)"
    fetch(set_local, (f"{int(seconds * 1000)}ms",), (TEXT,))
    yield
    fetch(set_local, (before,), (TEXT,))


@contextmanager
def in_index_order() -> Iterator[None]:
    """Let an ORDER BY ... LIMIT of this block walk an index. Inside a transaction only.

    What PostgreSQL knows of a queue is wrong as often as not: told that it is empty, it reads and
    sorts the whole backlog for each batch.
    """
    if not is_postgresql():
        yield
        return
    set_local = "SELECT set_config('enable_sort', %s, true)"
    fetch(set_local, ("off",), (TEXT,))
    yield
    fetch(set_local, ("on",), (TEXT,))


def is_lock_timeout(error: OperationalError) -> bool:
    """Whether ``error`` says that a lock was not to be had in time."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state == "55P03" or "database is locked" in str(error)
