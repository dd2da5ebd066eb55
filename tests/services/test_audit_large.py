"""The audit of a database in use sees one moment; a hundred times the rows cost it no memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from django.db import connection, models
from django.db.utils import InternalError

from bulksms import db, send_bulk
from bulksms.models import Campaign, Hold, LedgerEntry, Message, Organisation, Run, Wallet
from bulksms.services import audit
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

ROUNDS = 5

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def elsewhere(work: Callable[..., Any], *arguments: Any) -> Iterator[Future[Any]]:
    """``work`` goes on in another thread, on a connection of its own, while the block runs."""

    def run() -> Any:
        try:
            return work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run)


# One moment


def test_what_commits_while_the_audit_runs_is_not_seen_by_it() -> None:
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=make_organisation())

    running = audit.results()
    seen = [next(running)]
    with elsewhere(lambda: Run.objects.update(queued_count=7)):
        pass
    seen += running

    assert [result.check for result in seen] == list(audit.CHECKS)
    assert not any(result.faults for result in seen)
    assert [fault.check for fault in audit.faults()] == ["run counters = its rows"]


def test_a_writer_does_not_wait_for_the_audit() -> None:
    running = audit.results()
    next(running)

    with elsewhere(make_organisation) as made:
        assert made.result(timeout=5).pk

    assert not any(result.faults for result in running)


@pytest.mark.postgres
def test_nothing_can_be_written_while_the_audit_runs() -> None:
    make_organisation()
    running = audit.results()
    next(running)

    with pytest.raises(InternalError, match="read-only"):
        Run.objects.update(queued_count=7)

    running.close()
    assert not connection.in_atomic_block


@pytest.mark.postgres
@pytest.mark.slow
def test_a_busy_system_gives_no_false_alarm() -> None:
    def work(house: FakeCarrier) -> None:
        for _ in range(ROUNDS):
            send_bulk(recipients=kenyan_numbers(30), message="Hi", organisation=make_organisation())
            house.run()

    audits = 0
    with fake_carrier(max_batch=7) as house, elsewhere(work, house) as busy:
        while not busy.done():
            assert [str(fault) for fault in audit.faults()] == []
            audits += 1
    busy.result()
    assert audits > 1
    assert Message.objects.filter(status="delivered").count() == ROUNDS * 30


# Size


SHIFT = 100_000
#: How the ids of copy number ``n`` differ from their originals'; a uuid gets other first digits.
_INT, _UUID = (
    f"{{0}} + n * {SHIFT}",
    "CAST(lpad(to_hex(n), 8, '0') || substr({0}::text, 9) AS uuid)",
)
MOVED = {
    "organisation_id": _INT, "wallet_id": _INT, "hold_id": _INT, "campaign_id": _UUID,
    "slug": "{0} || '-' || n", "key": "{0} || '-' || n", "is_house": "false",
}  # fmt: skip
TABLES = (Organisation, Wallet, Campaign, Run, Hold, LedgerEntry, Message)


def copy(model: type[models.Model], first: int, last: int) -> None:
    """Copies ``first`` to ``last`` of every row."""
    is_uuid = isinstance(model._meta.pk, models.UUIDField)
    moved = MOVED | {"id": _UUID if is_uuid else _INT}
    columns = [field.column for field in model._meta.concrete_fields]
    values = [moved.get(column, "{0}").format(column) for column in columns]
    original = "CAST(id AS text) NOT LIKE '0000%%'" if is_uuid else f"id < {SHIFT}"
    db.execute(
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM {model._meta.db_table}, generate_series(%s, %s) AS n WHERE {original}"
        " ORDER BY n, id",
        [first, last],
    )


def multiply(first: int, last: int) -> None:
    for model in TABLES:
        copy(model, first, last)
        db.execute(f"ANALYZE {model._meta.db_table}")


MESSAGES = Message._meta.db_table


@pytest.fixture
def unlogged(transactional_db: None) -> Iterator[None]:
    """The message table is written without a log: that halves the time of filling it."""
    db.execute(f"ALTER TABLE {MESSAGES} SET UNLOGGED")
    yield
    db.execute(f"TRUNCATE {MESSAGES}")
    db.execute(f"ALTER TABLE {MESSAGES} SET LOGGED")


@contextmanager
def indexed_afterwards() -> Iterator[None]:
    """Filling a table and indexing it then takes half the time of filling an indexed one."""
    sql = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s"
    found = dict(db.fetch(sql, [MESSAGES], (db.TEXT, db.TEXT)))
    indexes = {name: how for name, how in found.items() if not name.endswith("_pkey")}
    db.execute(f"DROP INDEX {', '.join(indexes)}")
    try:
        yield
    finally:
        for how in indexes.values():
            db.execute(how)


def thousand_messages() -> None:
    """A campaign of a thousand rows: delivered, failed, without a report, skipped, and queued."""
    rules = [
        {"match": {"share": 5}, "refuse": "blocked"},
        {"match": {"share": 10}, "report": False},
    ]
    organisation = make_organisation(balance_micros=900_000_000, price_micros=1_000_000)
    with fake_carrier(rules=rules, max_batch=200) as house:
        send_bulk(recipients=kenyan_numbers(1000), message="Hi", organisation=organisation)
        house.run()
    assert Message.objects.count() == 1000


class Measured(NamedTuple):
    said: str
    seconds: float
    peak: int


#: In a process of its own: what it needed at most is then the audit's.
AUDIT = """
import resource, sys, time
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
django.setup()
from django.core.management import call_command
started = time.perf_counter()
call_command("bulksms_audit")
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def audit_in_a_process_of_its_own() -> Measured:
    command = [sys.executable, "-c", AUDIT, str(connection.settings_dict["NAME"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    said, figures = done.stdout.splitlines()
    seconds, peak = figures.split()
    return Measured(said, float(seconds), int(peak))


@pytest.mark.slow
@pytest.mark.postgres
def test_a_million_messages_are_audited_in_the_memory_of_ten_thousand(unlogged: None) -> None:
    thousand_messages()
    multiply(1, 9)
    small = audit_in_a_process_of_its_own()
    with indexed_afterwards():
        multiply(10, 999)

    large = audit_in_a_process_of_its_own()

    print(f"audit of 10,000: {small.seconds:.1f} s; of 1,000,000: {large.seconds:.1f} s")
    print(f"peak memory: {small.peak / 1024:.0f} and {large.peak / 1024:.0f} MB")
    assert Message.objects.count() == 1_000_000
    assert small.said == large.said == f"ledger balanced ({len(audit.CHECKS)} checks, no fault)"
    assert large.peak < small.peak * 1.02
