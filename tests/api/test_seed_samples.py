"""The sample programs of the page, run against a live server: only base URL and key are changed.

They stand in ``tests/api/samples`` as the page prints them. curl and Node.js come from the system,
PHP too (with its curl extension; on Debian ``apt-get install php-cli php-curl``); what is not there
is skipped, and under ``CI=true`` it is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulksms.models import Campaign, Message
from tests.factories import make_key, make_organisation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SAMPLES = Path(__file__).parent / "samples"
BASE_URL = "https://api.talkntalk.africa"

#: sample: the program that runs it, and what proves that the program can.
PROGRAMS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "curl.sh": (["sh"], ["curl", "--version"]),
    "node.mjs": (["node"], ["node", "-e", "fetch"]),
    "python.py.txt": ([sys.executable], [sys.executable, "-c", "import requests"]),
    "php.php": (["php"], ["php", "-r", "exit(function_exists('curl_init') ? 0 : 1);"]),
}

TEXT = "Your promo code is SAVE20!"
SHORT_OF_MONEY = "Insufficient balance. Required KES 1.00, available KES 0.00."


def need(probe: Sequence[str]) -> None:
    """Skip, or fail in CI, where the program of a sample is not there."""
    found = shutil.which(probe[0])
    if found and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    reason = f"{probe[0]} is not installed (or has no {'curl extension' if found else 'PATH'})"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; with CI=true that is a failure, not a skip")
    pytest.skip(f"{reason}: this sample was NOT run")


def run(name: str, url: str, key: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The sample with another base URL and another key, and nothing else changed."""
    program, probe = PROGRAMS[name]
    need(probe)
    text = (SAMPLES / name).read_text()
    assert BASE_URL in text
    text = re.sub(r"tk_live_x+", key, text.replace(BASE_URL, url))
    file = folder / name
    file.write_text(f"<?php\n{text}" if name.endswith(".php") else text)
    return subprocess.run(
        [*program, str(file)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def key() -> str:
    """Of an organisation that can pay for two messages."""
    return make_key(make_organisation(balance_micros=2_000_000))


def test_curl(live_server, key, tmp_path) -> None:
    ran = run("curl.sh", live_server.url, key, tmp_path)

    body = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (body["queued"], body["failed"], body["total"]) == (2, 0, 2)
    assert body["sender_id"] == "TALKNTALK"
    assert [row["mobile"] for row in body["results"]] == ["254712345678", "254723456789"]
    assert Campaign.objects.get().message == "Your promo code is SAVE20. Valid today only!"


def test_node(live_server, key, tmp_path) -> None:
    ran = run("node.mjs", live_server.url, key, tmp_path)

    assert (ran.returncode, ran.stdout) == (0, "Queued: 2/3\n"), ran.stderr
    assert ran.stderr == f"Failed: 254734567890{SHORT_OF_MONEY}\n"
    assert Campaign.objects.get().message == TEXT


def test_node_survives_an_error_answer(live_server, tmp_path) -> None:
    """It iterates ``errors`` whatever the status is."""
    ran = run("node.mjs", live_server.url, "tk_live_wrong", tmp_path)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Queued: undefined/undefined\n", "")


def test_python(live_server, key, tmp_path) -> None:
    ran = run("python.py.txt", live_server.url, key, tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"Queued: 2/3\nFailed 254734567890: {SHORT_OF_MONEY}\n"
    assert Message.objects.count() == 3


def test_php(live_server, key, tmp_path) -> None:
    ran = run("php.php", live_server.url, key, tmp_path)

    assert (ran.returncode, ran.stdout) == (0, "Queued: 2/2\n"), ran.stderr
    assert Campaign.objects.get().message == TEXT
