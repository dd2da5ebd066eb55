"""A database made by an older version: it migrates, the audit is silent, and work goes on.

Each ``<migration>.json`` is what that version left when this migration was its last (make_old.py).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from bulksms import send_sms, states
from bulksms.models import Message, Organisation
from bulksms.services import audit, reconcile
from bulksms.testing import virtual_clock
from tests.harness import FakeCarrier, WithoutQuery, fake_carrier

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

OLD = sorted(Path(__file__).parent.glob("*.json"))
SCHEMA = "old_version"


def load(tables: dict[str, Any]) -> None:
    """Rows as they were; sequences behind them."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table, rows in tables.items():
            cursor.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(null::{table}, %s)",
                [json.dumps(rows)],
            )
            cursor.execute(
                "SELECT pg_get_serial_sequence(%s, attname) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attname = 'id'",
                [table, table],
            )
            row = cursor.fetchone()
            if row and row[0]:
                cursor.execute(f"SELECT setval('{row[0]}', 1 + (SELECT max(id) FROM {table}))")
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, settings: Any) -> Iterator[Path]:
    """The old database in a schema of its own, migrated to this version."""
    document = json.loads(request.param.read_text())
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    virtual_clock._now = dt.datetime.fromisoformat(document["at"])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        cursor.execute(f"SET search_path = {SCHEMA}")
    try:
        MigrationExecutor(connection).migrate([("bulksms", request.param.stem)])
        load(document["tables"])
        call_command("migrate", verbosity=0)
        yield request.param
    finally:
        virtual_clock.reset()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            cursor.execute("SET search_path = DEFAULT")


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with fake_carrier(carrier=WithoutQuery) as house:
        yield house


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


def faults() -> list[str]:
    return [str(fault) for fault in audit.faults()]


def test_a_migrated_database_adds_up_and_its_work_goes_on(old: Path, carrier: FakeCarrier) -> None:
    before = statuses()
    assert set(before) == set(states.MESSAGE_STATES)
    assert faults() == []

    virtual_clock.advance(minutes=2)  # the dead workers' leases are over
    reconcile.tick_once()
    sender = Organisation.objects.filter(campaigns__isnull=False)[0]
    send_sms("254731100001", "Hi", organisation=sender)
    carrier.run()
    carrier.run()

    after = statuses()
    assert after[states.QUEUED] == after[states.SENDING] == 0
    assert after[states.DELIVERED] > before[states.DELIVERED]
    assert after[states.UNKNOWN] > before[states.UNKNOWN], "one was asked for as its worker died"
    assert carrier.duplicates == (0, 0)
    assert faults() == []

    virtual_clock.advance(hours=73)
    reconcile.tick_once()
    assert set(statuses()) <= states.FINAL
    assert faults() == []
