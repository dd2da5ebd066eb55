"""72 hours of app and carrier, in two processes, in seconds: nobody's timer is jumped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories import kenyan_numbers

pytestmark = pytest.mark.slow

START_TIMEOUT_S = 60
RULES = {
    "rules": [
        {"match": {"prefix": "2547120000"}, "report": {"state": "delivered", "delay_s": 70 * 3600}},
        {"match": {"prefix": "2547120001"}, "report": False},
        {
            "match": {"prefix": "2547120002"},
            "refuse": {"code": "temporary_failure", "tries": 3},
        },
        {"match": {"prefix": "2547120003"}, "report": {"state": "expired", "delay_s": 3600}},
    ]
}
NUMBERS = [number for group in range(4) for number in kenyan_numbers(20, 712_000_000 + group * 100)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def process(*words: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-m", *words], env={**os.environ, **environment},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        running.terminate()
        running.wait(20)
        running.communicate()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def live_72_hours(folder: Path) -> tuple[dict[str, Any], list[tuple[str, str]], float]:
    """(the campaign in the end, when each number got its last state, real seconds it took)."""
    app_port, simulator_port = free_port(), free_port()
    app, simulator = f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{simulator_port}"
    folder.mkdir()
    rules = folder / "rules.json"
    rules.write_text(json.dumps(RULES))
    environment = {
        "CLOCK_FILE": str(folder / "clock"),
        "DATABASE_FILE": str(folder / "app.sqlite3"),
        "SIMULATOR_URL": simulator,
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    with ExitStack() as running:
        running.enter_context(
            process(
                "simulator", "--http", str(simulator_port), "--seed", "7",
                "--rules", str(rules), "--clock", f"file:{folder / 'clock'}",
                "--report-batch", "100", "--report-grain", "1",
                "--report-url", f"{app}/callbacks/main/token/",
                environment=environment,
            )
        )  # fmt: skip
        wait_for(simulator_port)
        host = running.enter_context(
            process("tests.flows.shared_app", str(app_port), environment=environment)
        )
        assert host.stdout is not None
        headers = {"Authorization": f"Bearer {host.stdout.readline().strip()}"}
        wait_for(app_port)
        http = running.enter_context(requests.Session())
        http.trust_env = False
        peers = {"peers": [{"name": "app", "url": f"{app}/peer/"}]}
        assert http.put(f"{simulator}/_sim/clock/peers", json=peers).status_code == 200
        sent = http.post(
            f"{app}/v1/sms/send-bulk/", json={"recipients": NUMBERS, "message": "Hi"},
            headers=headers,
        ).json()  # fmt: skip
        assert sent["queued"] == len(NUMBERS), sent
        started = time.monotonic()
        moved = http.post(f"{simulator}/_sim/clock/advance", json={"by": 73 * 3600}, timeout=120)
        took = time.monotonic() - started
        assert moved.status_code == 200, moved.text
        campaign = http.get(
            f"{app}/v1/sms/campaigns/{sent['campaign_id']}/", headers=headers
        ).json()
        page = http.get(
            f"{app}/v1/sms/campaigns/{sent['campaign_id']}/messages/?page_size=500",
            headers=headers,
        ).json()
    ends = [(row["mobile"], f"{row['status']} {row['delivered_at']}") for row in page["results"]]
    return campaign, ends, took


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(port):
        assert time.monotonic() < deadline, f"nothing answers on port {port}"


def test_72_hours_pass_in_seconds_and_twice_the_same(tmp_path: Path) -> None:
    first, ends, took = live_72_hours(tmp_path / "first")
    second, ends_again, _ = live_72_hours(tmp_path / "second")

    states = Counter(end.split()[0] for _, end in ends)
    assert states == {"delivered": 40, "unconfirmed": 20, "expired": 20}
    assert first["status"] == second["status"] == "completed"
    assert ends == ends_again
    late = [end for number, end in ends if number.startswith("2547120000")]
    assert all("2026-01-03T22:00" in end for end in late), "70 hours after it was sent"
    assert took < 60
