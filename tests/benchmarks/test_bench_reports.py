"""Taking 100,000 delivery reports, beside the same rows stored and updated by bare SQL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client

from bulksms.models import Campaign, Message, Organisation
from bulksms.services import dispatch, reports
from tests.benchmarks import bare
from tests.benchmarks.cpu import backend, cpu_ratio, spent, wall
from tests.benchmarks.table import Row, add
from tests.benchmarks.work import RECIPIENTS, TEXT, post
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import fake_carrier

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

REPORTS = int(os.environ.get("BULKSMS_BENCH_REPORTS", "100000"))
#: Of bare SQL, whose time is short; their median counts.
ROUNDS = 3
TOKEN = "bench"
CARRIERS = {
    "main": {
        "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
        "OPTIONS": {"url": "http://127.0.0.1:9/"},
        "REPORT_TOKEN": TOKEN,
    }
}


def test_the_intake_of_100000_reports_beside_bare_sql(client: Client, settings: Any) -> None:
    """Posted to the callback in bodies of 500, then applied as the workers do."""
    settings.BULKSMS = {"CARRIERS": CARRIERS}
    campaigns = send_and_have_accepted(client, make_organisation(10**15))
    bodies = [body for campaign in campaigns for body in report_bodies(campaign)]
    with spent(backend()) as ours:
        for body in bodies:
            answer = client.post(f"/callbacks/main/{TOKEN}/", body, content_type="application/json")
            assert answer.status_code == 200, answer.content
        while reports.apply_once():
            pass
    assert Message.objects.filter(status="delivered").count() == REPORTS
    assert not Campaign.objects.filter(finished_at=None).exists()
    with bare.database() as plain:
        columns, rows = bare.rows_of(plain, "bulksms_message", "carrier = %s", "main")
        fresh = bare.as_new(columns, rows)
        baseline = [bare.reports(plain, columns, fresh) for _ in range(ROUNDS)]
    add(
        Row(
            f"{REPORTS:,} reports posted, stored, applied", ours.wall_s,
            "one batched insert and UPDATE, in 500s", wall(baseline), 3.0,
            f"{REPORTS / ours.wall_s:,.0f} reports/s", cpu_ratio=cpu_ratio([ours], baseline),
        )
    )  # fmt: skip


def send_and_have_accepted(client: Client, organisation: Organisation) -> list[UUID]:
    """Campaigns of 10,000 that a carrier has accepted and said nothing more of."""
    key, numbers = make_key(organisation), kenyan_numbers(REPORTS)
    found = []
    for start in range(0, REPORTS, RECIPIENTS):
        body = {"recipients": numbers[start : start + RECIPIENTS], "message": TEXT}
        found.append(UUID(post(client, key, body)["campaign_id"]))
    with fake_carrier(1, [{"report": False}]):
        while dispatch.run_once("main"):
            pass
    assert Message.objects.filter(status="sent").count() == REPORTS
    # What autovacuum would have done by the time that the reports come.
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) bulksms_message")
    return found


def report_bodies(campaign: UUID) -> Iterator[str]:
    """In bodies of 500, as the bundled simulator writes them."""
    rows = Message.objects.filter(campaign=campaign).values_list("id", "carrier_ref", "number")
    found = [
        {
            "report_id": uuid4().hex, "id": ref, "client_ref": str(id_), "to": f"+{number}",
            "status": "delivered", "code": "000", "at": "2026-01-01T00:00:02.000000Z",
        }
        for id_, ref, number in rows
    ]  # fmt: skip
    for start in range(0, len(found), bare.CHUNK):
        yield json.dumps({"reports": found[start : start + bare.CHUNK]})
