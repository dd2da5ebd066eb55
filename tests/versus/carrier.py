"""The carrier of a house: the simulator, a process of its own, and what it knows to be true."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.versus.figures import Truth

PATIENCE_S = 20.0


class Carrier:
    """A running simulator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def summary(self) -> dict[str, Any]:
        return self._ask("summary")

    def truth(self) -> Truth:
        """Every message that it accepted, with its price."""
        found = Truth()
        for record in self._ask("messages?limit=10000")["messages"]:
            if record["status"] == "accepted":
                found.add(record["to"].removeprefix("+"), record["price"])
        return found

    def _ask(self, path: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/_sim/oracle/{path}", timeout=PATIENCE_S)
        answer.raise_for_status()
        return dict(answer.json())


@contextmanager
def open_carrier(folder: Path, seed: int, rules: Sequence[Mapping[str, Any]]) -> Iterator[Carrier]:
    """``python -m simulator`` with these rules, for as long as the block runs."""
    path = folder / "rules.json"
    path.write_text(json.dumps({"rules": list(rules)}))
    command = [
        sys.executable, "-m", "simulator", "--http", "0", "--seed", str(seed),
        "--rules", str(path), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Carrier(_address(process))
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Read it from the banner."""
    assert process.stdout is not None
    for line in process.stdout:
        if " carrier " in line:
            return line.split()[2].removesuffix("/v1/messages")
    raise RuntimeError("the simulator did not start")
