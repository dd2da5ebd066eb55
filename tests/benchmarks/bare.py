"""The bare minimum of SQL for the same rows: what the database alone costs.

Plain psycopg, on copies of our tables with the same columns and indexes and no constraints.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from tests.benchmarks.cpu import Spent, spent

CHUNK = 500
Row = tuple[Any, ...]


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """A connection of its own to the test database, with empty copies of the two tables."""
    settings = connection.get_connection_params()
    wanted = ("host", "port", "dbname", "user", "password")
    params = {name: settings[name] for name in wanted if settings.get(name)}
    with psycopg.connect(**params, autocommit=True) as bare:
        for name in ("message", "report"):
            bare.execute(f"DROP TABLE IF EXISTS bare_{name}")
            bare.execute(
                f"CREATE TABLE bare_{name} (LIKE bulksms_{name} INCLUDING INDEXES"
                " INCLUDING IDENTITY)"
            )
        yield bare
        bare.execute("DROP TABLE bare_message, bare_report")


def rows_of(
    bare: psycopg.Connection, table: str, where: str, key: Any
) -> tuple[list[str], list[Row]]:
    """Column names and rows of one of our tables, to be written again."""
    found = bare.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY id", [key])
    assert found.description is not None
    return [column.name for column in found.description], found.fetchall()


def as_new(columns: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """Finished rows of ours as they were at intake."""
    fresh = {
        "status": "queued", "charge": "held", "captured_micros": 0, "carrier_ref": "",
        "sent_at": None, "delivered_at": None, "done_at": None,
    }  # fmt: skip
    places = [(columns.index(name), value) for name, value in fresh.items()]
    found = []
    for row in rows:
        new = list(row)
        for place, value in places:
            new[place] = value
        found.append(tuple(new))
    return found


def copy(bare: psycopg.Connection, columns: Sequence[str], rows: Sequence[Row]) -> float:
    """Seconds to COPY ``rows`` into an empty bare_message, in one transaction."""
    bare.execute("TRUNCATE bare_message")
    return append(bare, columns, rows)


def append(bare: psycopg.Connection, columns: Sequence[str], rows: Sequence[Row]) -> float:
    """Seconds to COPY ``rows`` into bare_message behind what is there, in one transaction."""
    started = time.perf_counter()
    sql = f"COPY bare_message ({', '.join(columns)}) FROM STDIN"
    with bare.transaction(), bare.cursor() as cursor, cursor.copy(sql) as target:
        for row in rows:
            target.write_row(row)
    return time.perf_counter() - started


def whole_life(bare: psycopg.Connection, columns: Sequence[str], rows: Sequence[Row]) -> Spent:
    """COPY, claim, result, raw report and report update of ``rows``, in chunks."""
    bare.execute("TRUNCATE bare_report")
    with spent(bare.info.backend_pid) as seconds:
        copy(bare, columns, rows)
        for campaign in _campaigns(columns, rows):
            while ids := _claim(bare, campaign):
                refs = _sent(bare, ids)
                _reported(bare, ids, refs)
    return seconds


def reports(bare: psycopg.Connection, columns: Sequence[str], rows: Sequence[Row]) -> Spent:
    """The raw reports and the report update of ``rows``, in chunks."""
    copy(bare, columns, rows)
    bare.execute("TRUNCATE bare_report")
    sent: list[tuple[list[Any], list[str]]] = []
    for campaign in _campaigns(columns, rows):
        while ids := _claim(bare, campaign):
            sent.append((ids, _sent(bare, ids)))
    with spent(bare.info.backend_pid) as seconds:
        for ids, refs in sent:
            _reported(bare, ids, refs)
    return seconds


def _campaigns(columns: Sequence[str], rows: Sequence[Row]) -> list[Any]:
    """Those of the rows, in order."""
    place = list(columns).index("campaign_id")
    return list(dict.fromkeys(row[place] for row in rows))


def _sent(bare: psycopg.Connection, ids: list[Any]) -> list[str]:
    """The carrier's ids of these rows, which are sent now."""
    refs = [f"ref-{id_}" for id_ in ids]
    bare.execute(
        "UPDATE bare_message m SET status = 'sent', charge = 'captured', carrier_ref = v.ref,"
        " captured_micros = cost_micros, sent_at = now()"
        " FROM unnest(%s::uuid[], %s::text[]) AS v(k, ref) WHERE m.id = v.k",
        [ids, refs],
    )
    return refs


def _reported(bare: psycopg.Connection, ids: list[Any], refs: list[str]) -> None:
    bare.execute(
        "INSERT INTO bare_report (carrier, dedupe_key, carrier_ref, reference, state, code,"
        " part, raw, status, reason, tries, received_at)"
        " SELECT 'main', v.ref, v.ref, v.k::text, 'delivered', '', '', %s, 'new', '', 0, now()"
        " FROM unnest(%s::uuid[], %s::text[]) AS v(k, ref)",
        ["x" * 200, ids, refs],
    )
    bare.execute(
        "UPDATE bare_message m SET status = 'delivered', delivered_at = now(), done_at = now()"
        " FROM unnest(%s::text[]) AS v(ref) WHERE m.carrier = 'main' AND m.carrier_ref = v.ref"
        " AND m.carrier_ref <> ''",
        [refs],
    )


def _claim(bare: psycopg.Connection, campaign: Any) -> list[Any]:
    found = bare.execute(
        "WITH picked AS MATERIALIZED (SELECT id FROM bare_message WHERE campaign_id = %s"
        " AND status = 'queued' ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED)"
        " UPDATE bare_message m SET status = 'sending' FROM picked WHERE m.id = picked.id"
        " RETURNING m.id",
        [campaign, CHUNK],
    )
    return [row[0] for row in found.fetchall()]
