"""The two baselines: intake, and the whole life of a message."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dramatiq
import pytest
from django.db import connection
from django.test import Client

from bulksms.models import Campaign
from bulksms.services import audit
from tests.benchmarks import bare
from tests.benchmarks.table import Row, add
from tests.factories import kenyan_numbers, make_key, make_organisation

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
            started = time.perf_counter()
            answer = post(client, key, numbers)
            ours.append(time.perf_counter() - started)
            columns, rows = bare.rows_of(
                plain, "bulksms_message", "campaign_id = %s", answer["campaign_id"]
            )
            copies.append(bare.copy(plain, columns, rows))
    add(
        Row(
            "POST /v1/sms/send-bulk/, 10,000 recipients", statistics.median(ours),
            "COPY of the same rows, same indexes", statistics.median(copies), 3.0,
        )
    )  # fmt: skip


@pytest.fixture
def simulator(live_server: Any, settings: Any) -> Iterator[str]:
    """The fake carrier in a process of its own, its reports posted to the live server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings.BULKSMS = {
        "CARRIERS": {
            "main": {
                "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
                "OPTIONS": {"url": url, "window": 4},
                "REPORT_TOKEN": "bench",
            }
        }
    }
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
        columns, rows = _both(plain)
        baseline = bare.whole_life(plain, columns, rows, rows[0][columns.index("campaign_id")])
    with urllib.request.urlopen(f"{simulator}/_sim/oracle/summary") as response:
        oracle = json.load(response)
    assert oracle["accepted"] == size
    assert list(audit.faults()) == []
    note = f"{size / ours:,.0f} messages/s, duplicates {oracle['duplicates']}"
    add(
        Row(
            "20,000 accepted, sent, reported, settled", ours,
            "one COPY, claim, result, report, update in 500s", baseline, 2.5, note,
        )
    )  # fmt: skip


def _both(plain: Any) -> tuple[list[str], list[bare.Row]]:
    """The rows of both campaigns as they were at intake, as if of one."""
    first = Campaign.objects.order_by("id").first()
    assert first is not None
    columns, rows = bare.rows_of(plain, "bulksms_message", "carrier = %s", "main")
    as_new = {
        "campaign_id": first.pk, "status": "queued", "charge": "held", "captured_micros": 0,
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
