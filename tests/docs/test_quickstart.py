"""docs/quickstart.md, step by step in an empty folder, with the built wheel."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks_of

pytestmark = pytest.mark.slow

BLOCKS = blocks_of("quickstart.md")
ARRIVED_TIMEOUT_S = 60
#: The page's ports may be taken on this machine: others stand in for them, nothing else is changed.
PORTS = (8000, 8090)


class Newcomer:
    """Somebody in an empty folder who does what the page says, block by block."""

    def __init__(self, folder: Path, python: Path, wheel: Path) -> None:
        self.folder = folder
        self.ports = {str(port): str(_free_port()) for port in PORTS}
        self.done: list[str] = []
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        } | {"PATH": f"{_tools(folder, wheel)}:{python.parent}:{os.environ['PATH']}"}

    def text(self, name: str) -> str:
        self.done.append(name)
        text = BLOCKS[name].text
        for written, free in self.ports.items():
            text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{free}")
        return text

    def appends(self, name: str) -> None:
        """To the file that the block is named after."""
        with (self.folder / name).open("a") as file:
            file.write("\n" + self.text(name))

    def runs(self, name: str) -> str:
        return self._run(["bash", "-e"], self.text(name))

    def types_into_the_shell(self, name: str) -> str:
        return self._run(["python", "manage.py", "shell", "-v", "0"], self.text(name))

    def starts(self, name: str) -> subprocess.Popen[str]:
        """The last line of the block goes on until it is stopped; those before it must end well."""
        *first, last = self.text(name).splitlines()
        self._run(["bash", "-e"], "\n".join(first))
        command = [*last.split(), "--port", self.ports["8000"]]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def _run(self, command: list[str], typed: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, input=typed, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
        return done.stdout


def _tools(folder: Path, wheel: Path) -> Path:
    """A folder with a ``pip`` that has done already what it is asked for: installed the wheel."""
    tools = folder.parent / "tools"
    tools.mkdir()
    name = wheel.name.partition("-")[0].replace("_", "-")
    (tools / "pip").write_text(f'#!/bin/sh\n[ "$*" = "install {name}" ]\n')
    (tools / "pip").chmod(0o755)
    return tools


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def newcomer(tmp_path: Path, wheel_python: Path, built_wheel: Path) -> Newcomer:
    folder = tmp_path / "empty"
    folder.mkdir()
    return Newcomer(folder, wheel_python, built_wheel)


@pytest.fixture
def project(newcomer: Newcomer) -> Newcomer:
    newcomer.runs("install")
    newcomer.appends("mysite/settings.py")
    newcomer.appends("mysite/urls.py")
    return newcomer


@pytest.fixture
def server(project: Newcomer) -> Iterator[subprocess.Popen[str]]:
    process = project.starts("start")
    yield process
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    finally:
        process.kill()
        process.communicate()


def _printed_key(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"Bearer (bsk_live_\S+?)\"", line):
            return found[1]
    pytest.fail("bulksms_start ended without printing a key")


def _promised() -> str:
    """What the page says that one will see."""
    text = (DOCS / "quickstart.md").read_text()
    return text.partition("```text\n")[2].partition("```")[0]


def test_the_quickstart_ends_with_delivered_messages(
    project: Newcomer, server: subprocess.Popen[str]
) -> None:
    key = _printed_key(server)
    project.types_into_the_shell("send.py")

    assert project.text("key") == "export KEY=bsk_live_...\n"
    project.environment["KEY"] = key
    assert json.loads(project.runs("http"))["queued"] == 1

    deadline = time.monotonic() + ARRIVED_TIMEOUT_S
    while (seen := project.types_into_the_shell("look.py")) != _promised():
        assert time.monotonic() < deadline, seen
    assert "balanced" in project.runs("audit")
    assert list(dict.fromkeys(project.done)) == list(BLOCKS), "a block of the page was left out"
