"""A newcomer's project, made with the built wheel as the README says; and it sends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 60
#: The newcomer has settings of their own.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}

pytestmark = pytest.mark.slow

COUNT = """
from bulksms.models import Message
print("states:", sorted(Message.objects.values_list("status", flat=True)))
"""


def readme_block(name: str) -> str:
    """The code block that the README marks with ``<!-- name -->``."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"<!-- {re.escape(name)} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path, wheel_python: Path) -> Path:
    """``django-admin startproject``, then what the README says."""
    run(wheel_python, tmp_path, "-m", "django", "startproject", "mysite", ".")
    simulator = f"http://127.0.0.1:{free_port()}"
    block = readme_block("settings.py").replace("http://127.0.0.1:8090", simulator)
    with (tmp_path / "mysite" / "settings.py").open("a") as settings:
        settings.write(block)
    with (tmp_path / "mysite" / "urls.py").open("a") as urls:
        urls.write(readme_block("urls.py"))
    run(wheel_python, tmp_path, "manage.py", "migrate")
    return tmp_path


@pytest.fixture
def server(project: Path, wheel_python: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(wheel_python), "manage.py", "bulksms_start", "--port", str(free_port())],
        cwd=project, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    yield process
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    finally:
        process.kill()
        process.communicate()


def run(python: Path, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [str(python), *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if wanted in line:
            return
    pytest.fail(f"bulksms_start ended without saying {wanted!r}")


def test_a_project_made_as_the_readme_says_sends_and_gets_its_reports(
    project: Path, wheel_python: Path, server: subprocess.Popen[str]
) -> None:
    run(wheel_python, project, "manage.py", "check")
    wait_for_line(server, "Authorization: Bearer bsk_live_")

    run(wheel_python, project, "manage.py", "shell", "-c", readme_block("send.py"))

    delivered = "states: ['delivered', 'delivered', 'delivered']"
    deadline = time.monotonic() + READY_TIMEOUT_S
    while delivered not in (found := run(wheel_python, project, "manage.py", "shell", "-c", COUNT)):
        assert time.monotonic() < deadline, found
    assert "ledger balanced" in run(wheel_python, project, "manage.py", "bulksms_audit")
