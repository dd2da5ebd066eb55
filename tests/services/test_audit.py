"""The audit is silent on all that can rightly happen, and finds each kind of corruption.

One database in which every state and every charge occurs is made for the whole file; each test
plants its fault in it and takes it back.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from bulksms import db, states
from bulksms.models import Hold, Message, MessageAttempt, Submission, Wallet
from bulksms.services import audit
from bulksms.testing import virtual_clock
from tests.services.audit_plants import PLANTS, Plant, change, count, parent, without_rules
from tests.services.audit_world import NUMBERS, TEXT, World, send

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    main = django_settings.BULKSMS["CARRIERS"]["main"]
    bulksms = {
        "CLOCK": "bulksms.testing.virtual_clock",
        "CARRIERS": {"main": {**main, "REFUNDS": {"rejected": "refund"}}},
    }
    virtual_clock.reset()
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(BULKSMS={**django_settings.BULKSMS, **bulksms}):
            made = World().finish()
        yield made
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _time_of_the_world(_virtual_time: None, world: World) -> None:
    virtual_clock.advance(seconds=(world.now - virtual_clock.START).total_seconds())


def test_the_audit_is_silent_where_everything_happened_that_can(world: World) -> None:
    assert [str(fault) for fault in audit.faults()] == []
    assert set(Message.objects.values_list("status", flat=True)) == set(states.MESSAGE_STATES)
    assert set(Message.objects.values_list("charge", flat=True)) == set(states.CHARGES)
    assert set(MessageAttempt.objects.values_list("status", "charge")) == {
        (states.FAILED, states.RELEASED), (states.UNKNOWN, states.NONE)
    }  # fmt: skip
    assert Wallet.objects.filter(owed_micros__gt=0).exists()
    assert Hold.objects.filter(release_due_at__isnull=False).exists()


def test_the_audit_only_reads(world: World) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(audit.faults())

    assert len(queries) == sum(len(parts) for parts in audit.CHECKS.values())
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}


# Corruption


@pytest.fixture
def unguarded() -> Iterator[None]:
    without_rules()
    yield
    if connection.vendor == "sqlite":
        db.execute("PRAGMA ignore_check_constraints = OFF")


@pytest.mark.parametrize("case", PLANTS, ids=lambda case: case.name)
def test_a_planted_corruption_is_found_by_its_check(
    case: Plant, world: World, unguarded: None
) -> None:
    if case.needs not in ("", connection.vendor):
        pytest.skip(f"this rule can be broken on {case.needs} only")
    row = case.plant(world)

    found = list(audit.faults())

    assert {fault.check for fault in found} == set(case.checks), [str(fault) for fault in found]
    assert str(row.pk) in {id_ for fault in found for id_ in fault.ids}
    assert all(any(map(str.isalpha, fault.what)) for fault in found)
    told = " ".join(str(fault) for fault in found)
    assert not [secret for secret in (TEXT, *NUMBERS) if secret in told]


def test_every_check_has_a_corruption_that_it_finds() -> None:
    assert {check for case in PLANTS for check in case.checks} == set(audit.CHECKS)


def test_what_is_only_a_little_late_is_no_fault(world: World) -> None:
    """The tick may have been down for half an hour."""
    late = world.now - dt.timedelta(hours=48 + 72 + 0.5)
    change(parent(world.queued), expires_at=late)
    change(Hold.objects.get(campaign=world.queued), created_at=late)
    row = Message.objects.filter(campaign=world.sending).earliest("id")
    submission = Submission.objects.get(pk=row.submission_id)
    change(submission, lease_until=world.now - dt.timedelta(hours=0.5))

    assert [str(fault) for fault in audit.faults()] == []


# Telling it


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("bulksms_audit", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def run_and_fail(*arguments: str) -> tuple[str, str]:
    """(what it printed, why it failed)"""
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("bulksms_audit", *arguments, stdout=out, stderr=io.StringIO())
    assert failed.value.returncode == 1
    return out.getvalue(), str(failed.value)


def break_rows(campaign: UUID, how_many: int) -> list[str]:
    rows = Message.objects.filter(campaign=campaign).order_by("id")[:how_many]
    return [str(change(row, carrier_ref="C-9").pk) for row in rows]


def test_the_command_says_that_the_ledger_is_balanced(world: World) -> None:
    assert run_command() == f"ledger balanced ({len(audit.CHECKS)} checks, no fault)\n"


def test_the_command_prints_a_line_per_fault_and_exits_1(world: World) -> None:
    (row,) = break_rows(world.queued, 1)

    assert run_and_fail() == (
        f"accepted = paid for: message {row}: taken by the carrier and held\n",
        f"1 fault, found by 1 of {len(audit.CHECKS)} checks",
    )


def test_a_fault_of_many_rows_names_a_few_and_counts_the_rest(world: World) -> None:
    owner = parent(world.ended).organisation
    rows = break_rows(send(12, organisation=owner), 12)

    out, _ = run_and_fail()

    named = ", ".join(rows[:5])
    assert out == (
        f"accepted = paid for: messages {named} and 7 more: taken by the carrier and held\n"
    )


def test_the_command_tells_so_many_faults_per_check_and_counts_the_rest(world: World) -> None:
    for by, campaign in enumerate((world.queued, world.stuck, world.sending, world.unknown), 1):
        count(campaign, sent=by)

    out, why = run_and_fail("--limit", "3")

    lines = out.splitlines()
    check = "campaign counters = its rows"
    assert lines == [
        f"{check}: campaign {world.queued}: sent_count 1, rows 0",
        f"{check}: campaign {world.stuck}: sent_count 2, rows 0",
        f"{check}: campaign {world.sending}: sent_count 3, rows 0",
        f"{check}: and 1 more fault",
    ]
    assert why == f"4 faults, found by 1 of {len(audit.CHECKS)} checks"


def test_the_command_writes_json(world: World) -> None:
    balanced = json.loads(run_command("--json"))
    (row,) = break_rows(world.queued, 1)
    out, _ = run_and_fail("--json")

    assert balanced == {"balanced": True, "checks": len(audit.CHECKS), "faults": [], "hidden": {}}
    assert json.loads(out)["faults"] == [
        {
            "check": "accepted = paid for", "noun": "message", "ids": [row], "more": 0,
            "what": "taken by the carrier and held",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_whole_number_above_zero(limit: str) -> None:
    with pytest.raises(CommandError, match="whole number"):
        call_command("bulksms_audit", f"--limit={limit}")
