"""The README's walk with curl, run as it stands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import simulator
from simulator.clocks import VirtualClock
from simulator.engine.knobs import KIND_OF_KNOB
from simulator.testing import serve_in_thread

README = Path(simulator.__file__).with_name("README.md")


def steps() -> Iterator[tuple[str, str]]:
    """Yield (command, expected output) of every `console` block, in order."""
    for block in re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        for step in re.split(r"(?m)^\$ ", block)[1:]:
            lines = step.splitlines()
            end = next(i for i, _ in enumerate(lines) if _is_whole("\n".join(lines[: i + 1])))
            yield "\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :])


def _is_whole(command: str) -> bool:
    return command.count("'") % 2 == 0


def fits(expected: str, printed: str) -> bool:
    """Compare; `...` in the expected text stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in expected.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_walk_with_curl_prints_what_the_readme_says() -> None:
    walked = 0
    with serve_in_thread(seed=7, clock=VirtualClock()) as carrier:
        address = carrier.url.removeprefix("http://")
        for command, expected in steps():
            local = command.replace("localhost:8090", address)
            done = subprocess.run(
                ["bash", "-c", local], capture_output=True, text=True, timeout=30, check=False
            )
            assert fits(expected, done.stdout), f"{command}\n{done.stdout}{done.stderr}"
            walked += 1
    assert walked == 10


def test_the_readme_names_every_knob() -> None:
    text = README.read_text(encoding="utf-8")

    assert [knob for knob in KIND_OF_KNOB if f"| `{knob}` |" not in text] == []
