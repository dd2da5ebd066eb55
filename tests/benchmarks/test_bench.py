"""The baselines: intake, reports, and the whole life of a message."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import dramatiq
import pytest
from django.db import connection
from django.test import Client

from bulksms.models import Campaign, Message
from bulksms.services import audit, dispatch, reports
from tests.benchmarks import bare
from tests.benchmarks.cpu import Spent, spent
from tests.benchmarks.table import Row, add
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import fake_carrier

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 5
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."


def post(client: Client, key: str, numbers: list[str]) -> dict[str, Any]:
    response = client.post(
        "/v1/sms/send-bulk/",
        data=json.dumps({"recipients": numbers, "message": TEXT}),
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )
    assert response.status_code == 201, response.content[:500]
    return dict(json.loads(response.content))


def test_intake_of_10000_recipients_beside_copy(client: Client) -> None:
    key, numbers = make_key(make_organisation(10**15)), kenyan_numbers(10_000)
    post(client, key, numbers)
    ours, copies = [], []
    with bare.database() as plain:
        for _ in range(ROUNDS):
            with spent(_backend()) as seconds:
                answer = post(client, key, numbers)
            ours.append(seconds)
            columns, rows = bare.rows_of(
                plain, "bulksms_message", "campaign_id = %s", answer["campaign_id"]
            )
            with spent(plain.info.backend_pid) as seconds:
                seconds_s = bare.copy(plain, columns, rows)
            copies.append(Spent(seconds_s, seconds.cpu_s))
    add(
        Row(
            "POST /v1/sms/send-bulk/, 10,000 recipients", _wall(ours),
            "COPY of the same rows, same indexes", _wall(copies), 3.0, was=2.8,
            cpu_ratio=_cpu_ratio(ours, copies),
        )
    )  # fmt: skip


def test_the_intake_of_10000_reports_beside_bare_sql(client: Client, settings: Any) -> None:
    """Posted to the callback in bodies of 500, then applied as the workers do."""
    settings.BULKSMS = _one_carrier("http://127.0.0.1:9/")
    ours, baseline = [], []
    for seed in range(3):
        campaign = _sent_campaign(client, seed)
        bodies = list(_report_bodies(campaign))
        with spent(_backend()) as seconds:
            for body in bodies:
                answer = client.post(
                    "/callbacks/main/bench/", body, content_type="application/json"
                )
                assert answer.status_code == 200, answer.content
            while reports.apply_once():
                pass
        ours.append(seconds)
        assert Campaign.objects.get(id=campaign).delivered_count == 10_000
        with bare.database() as plain:
            columns, rows = _as_new(plain, campaign)
            baseline.append(bare.reports(plain, columns, rows, campaign))
    add(
        Row(
            "10,000 reports posted, stored, applied", _wall(ours),
            "one batched insert and UPDATE, in 500s", _wall(baseline), 3.0,
            cpu_ratio=_cpu_ratio(ours, baseline),
        )
    )  # fmt: skip


def _backend() -> int:
    """The process of the database that serves Django's connection here."""
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def _wall(rounds: Sequence[Spent]) -> float:
    return statistics.median(seconds.wall_s for seconds in rounds)


def _cpu_ratio(ours: Sequence[Spent], bare_ones: Sequence[Spent]) -> float:
    return min(s.cpu_s for s in ours) / min(s.cpu_s for s in bare_ones)


def _sent_campaign(client: Client, seed: int) -> UUID:
    """A campaign of 10,000 that a carrier has accepted and said nothing more of."""
    key = make_key(make_organisation(10**15))
    campaign = UUID(post(client, key, kenyan_numbers(10_000))["campaign_id"])
    with fake_carrier(seed, [{"report": False}]):
        while dispatch.run_once("main"):
            pass
    assert Message.objects.filter(campaign=campaign, status="sent").count() == 10_000
    return campaign


def _report_bodies(campaign: UUID) -> Iterator[str]:
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


def _one_carrier(url: str) -> dict[str, Any]:
    return {
        "CARRIERS": {
            "main": {
                "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
                "OPTIONS": {"url": url, "window": 4},
                "REPORT_TOKEN": "bench",
            }
        }
    }


@pytest.fixture
def simulator(live_server: Any, settings: Any) -> Iterator[str]:
    """The fake carrier in a process of its own, its reports posted to the live server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings.BULKSMS = _one_carrier(url)
    command = [
        sys.executable, "-m", "simulator", "--http", str(port), "--report-delay", "0",
        "--report-batch", "500", "--report-url", f"{live_server.url}/callbacks/main/bench/",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _wait_until_open(port)
        yield url
        process.terminate()


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    pytest.fail("the simulator did not start")


def test_the_whole_life_of_20000_messages_beside_bare_sql(client: Client, simulator: str) -> None:
    size = 20_000
    key, numbers = make_key(make_organisation(10**15)), kenyan_numbers(size)
    worker = dramatiq.Worker(dramatiq.get_broker(), worker_threads=4, worker_timeout=50)
    worker.start()
    started = time.perf_counter()
    for half in (numbers[: size // 2], numbers[size // 2 :]):
        post(client, key, half)
    _wait_until_completed(timeout_s=300)
    ours = time.perf_counter() - started
    worker.stop()
    with bare.database() as plain:
        first = Campaign.objects.earliest("id").pk
        columns, rows = _as_new(plain, first)
        baseline = bare.whole_life(plain, columns, rows, first)
    with urllib.request.urlopen(f"{simulator}/_sim/oracle/summary") as response:
        oracle = json.load(response)
    assert oracle["accepted"] == size
    assert list(audit.faults()) == []
    note = f"{size / ours:,.0f} messages/s, duplicates {oracle['duplicates']}"
    add(
        Row(
            "20,000 accepted, sent, reported, settled", ours,
            "one COPY, claim, result, report, update in 500s", baseline, 2.5, note, was=5.0,
        )
    )  # fmt: skip


def _as_new(plain: Any, campaign: UUID) -> tuple[list[str], list[bare.Row]]:
    """The rows of it and of later campaigns as they were at intake, as if of one."""
    columns, rows = bare.rows_of(plain, "bulksms_message", "campaign_id >= %s", campaign)
    as_new = {
        "campaign_id": campaign, "status": "queued", "charge": "held", "captured_micros": 0,
        "carrier_ref": "", "sent_at": None, "delivered_at": None, "done_at": None,
    }  # fmt: skip
    order = [(name, as_new.get(name, ...)) for name in columns]
    return columns, [
        tuple(old if new is ... else new for old, (_, new) in zip(row, order, strict=True))
        for row in rows
    ]


def _wait_until_completed(timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while Campaign.objects.filter(finished_at=None).exists():
        assert time.monotonic() < deadline, list(Campaign.objects.values())
        time.sleep(0.1)
    connection.close()
