"""Clients written for the page, over a real server: only base URL and key are theirs to set.

The page prints request bodies and no programs, so these are the shortest programs that send its
bodies, in the four languages of v1's page. What is not installed is skipped loudly; under
``CI=true`` it is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from bulksms.models import Campaign
from bulksms.testing import drain
from tests.api.outbox.helpers import PAGE_BODY, PAGE_LOOP, TEXT
from tests.api.test_seed_samples import PROGRAMS, need
from tests.concurrency.conftest import at_once
from tests.factories import make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def key() -> str:
    return make_key(make_organisation(60_000_000, 600_000, "TUKUPAY"))


def run(name: str, url: str, key: str, folder: Path) -> list[dict[str, Any]]:
    """What the program printed: one answer a line."""
    program, probe = PROGRAMS[name]
    need(probe)
    (folder / "page_body.json").write_text(json.dumps(PAGE_BODY))
    (folder / "page_loop.json").write_text(json.dumps(PAGE_LOOP))
    shutil.copy(SAMPLES / name, folder)
    ran = subprocess.run(
        [*program, name], cwd=folder, env={**os.environ, "BASE_URL": url, "API_KEY": key},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_sends_the_pages_bodies(live_server, key, tmp_path, name) -> None:
    bulk, loop = run(name, live_server.url, key, tmp_path)

    found = bulk["bulkOutboxEntry"]
    assert (bulk["status"], bulk["message"]) == ("success", "Bulk SMS accepted.")
    assert (found["message"], found["recipients"]) == (TEXT, PAGE_BODY["recipients"])
    assert (found["totalSmsUnitsUsed"], found["totalCost"]) == (3, 1.8)
    assert loop["message"] == "Bulk SMS sent using Single SMS in a loop."
    assert len(loop["outboxIds"]) == 2


def test_following_an_entry_to_its_end(live_server, key, carrier: FakeCarrier) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    sent = requests.post(f"{live_server.url}/api/sms/send-bulk", headers=headers, json=PAGE_BODY)
    outbox_id = sent.json()["bulkOutboxEntry"]["outboxId"]

    drain()
    carrier.run()
    entry = requests.get(f"{live_server.url}/api/sms/outbox/{outbox_id}", headers=headers).json()
    listed = requests.get(f"{live_server.url}/api/sms/outbox?status=sent", headers=headers).json()
    balance = requests.get(f"{live_server.url}/api/sms-wallet/balance", headers=headers).json()

    assert (sent.status_code, entry["message"]) == (201, "Bulk SMS sent.")
    assert [one["outboxId"] for one in listed["outboxEntries"]] == [outbox_id]
    assert (balance["balance"], balance["held"], balance["smsBalance"]) == (58.2, 0.0, 97)


@pytest.mark.postgres
def test_a_client_that_waits_gets_the_final_picture(live_server, key, carrier: FakeCarrier) -> None:
    """A worker in another thread does its work while the request waits on its own connection."""
    headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=10"}

    def ask() -> dict[str, Any]:
        url = f"{live_server.url}/api/sms/send-bulk"
        return dict(requests.post(url, headers=headers, json=PAGE_BODY, timeout=30).json())

    def work() -> dict[str, Any]:
        while not Campaign.objects.filter(finished_at__isnull=False).exists():
            carrier.run()
        return {}

    answer, _ = at_once([ask, work])

    assert isinstance(answer, dict), answer
    assert answer["message"] == "Bulk SMS sent."
    assert answer["bulkOutboxEntry"]["status"] == "sent"


def test_the_body_as_the_page_prints_it_has_comments_and_is_no_json(live_server, key) -> None:
    text = json.dumps(PAGE_BODY, indent=2).replace('Z",', 'Z", // Optional')
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    answer = requests.post(f"{live_server.url}/api/sms/send-bulk", headers=headers, data=text)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")
    assert answer.json()["status"] == "error"
