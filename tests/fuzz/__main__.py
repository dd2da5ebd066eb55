"""``python -m tests.fuzz [examples] [--limited] [--dialects v1 outbox] [--seed N]``

schemathesis has an environment of its own (``.venv/fuzz``): it speaks HTTP and needs nothing of
ours.
Ends with the counts by status and exits 1 on any failed check.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.fuzz.dialects import DIALECTS, Dialect

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / ".venv" / "fuzz"
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("hooks.py")
#: How often a value of the dictionaries stands where the schema cannot know a good one.
KNOWN = 0.8
REQUIREMENT = "schemathesis>=4.32,<4.33"


def main() -> int:
    options = parser().parse_args()
    install()
    failed = [name for name in options.dialects or DIALECTS if fuzz(DIALECTS[name], options)]
    print("failed:", ", ".join(failed) or "nothing")
    return len(failed)


def fuzz(dialect: Dialect, options: argparse.Namespace) -> bool:
    """Whether anything failed."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.server", f"sqlite:///{folder}/fuzz.sqlite3",
             "limited" if options.limited else "unlimited"],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            up = json.loads(server.stdout.readline())
            (Path(folder) / "schemathesis.toml").write_text(configuration(dialect, up))
            status = run(dialect, up["port"], up["key"], options, Path(folder))
            ask_the_rest(dialect, up["port"], up, partial(tell, server))
            server.stdin.close()
            counts = json.loads(server.stdout.readline())
        finally:
            server.terminate()
            server.wait(10)
    print(f"=== {dialect.namespace}")
    good = report(counts)
    missing = dialect.statuses - {str(answered) for _, _, answered, _, _ in counts}
    print("documented and not seen:", ", ".join(sorted(missing)) or "nothing")
    is_judged = not options.limited  # most answers are 429 then
    return bool(status) or (is_judged and not good)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    found.add_argument("examples", type=int, nargs="?", default=200, help="per operation (200)")
    found.add_argument(
        "--limited", action="store_true", help="with request limits on: most answers are 429"
    )
    found.add_argument("--dialects", nargs="*", choices=DIALECTS, help="(all)")
    found.add_argument("--seed", type=int, default=7)
    found.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    return found


def install() -> None:
    if (TOOL / "bin" / "schemathesis").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(TOOL)], check=True)
    pip = [str(TOOL / "bin" / "python"), "-m", "pip", "install", "-q", REQUIREMENT]
    subprocess.run(pip, check=True)


def tell(server: subprocess.Popen[str], deed: str) -> None:
    """Have the server do it, and wait until it has."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{deed}\n")
    server.stdin.flush()
    assert server.stdout.readline() == f"{deed}\n"


def ask_the_rest(
    dialect: Dialect, port: int, up: dict[str, str], tell: Callable[[str], None]
) -> None:
    """What the tool does not come to, or a server only in trouble answers: 402 to 503."""
    body = json.dumps(dialect.body).encode()
    ask = partial(send, dialect, port)
    key, length = {"Authorization": f"Bearer {up['key']}"}, {"Content-Length": str(len(body))}
    ask(key | length, body)
    for other in ("reader", "poor"):
        ask({"Authorization": f"Bearer {up[other]}"} | length, body)
    ask(key | {"Transfer-Encoding": "chunked"}, None)
    ask(key | {"Content-Length": str(10**9)}, None)
    tell("stop")
    ask(key | length, body)
    tell("limit")
    ask(key | length, body)


def send(dialect: Dialect, port: int, headers: dict[str, str], body: bytes | None) -> None:
    line = HTTPConnection("127.0.0.1", port, timeout=10)
    line.putrequest("POST", dialect.send)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        line.putheader(name, value)
    line.endheaders(body)
    line.getresponse().read()
    line.close()


def configuration(dialect: Dialect, up: dict[str, object]) -> str:
    """The settings file, and the values that only this server knows."""
    words = {
        "campaigns": up["campaigns"],
        "senders": ["TALKNTALK"],
        "mobiles": ["254712345678", "254723456789"],
        "waits": ["wait=0"],  # nothing is sent here, so waiting waits to its end
        "keys": [str(uuid4()) for _ in range(5_000)],
    }
    lines = [CONFIG.read_text(), "[parameters]"]
    for place, name in dialect.places.items():
        known = 1.0 if name == "waits" else KNOWN
        lines.append(f'"{place}" = {{ dictionary = "{name}", probability = {known} }}')
    for name, values in words.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    return "\n".join(lines)


def known_document(dialect: Dialect) -> dict[str, Any]:
    """The document, with a value that this server takes beside what its schemas allow.

    (A dictionary of the tool's does not reach into a body that has alternatives.)
    """
    later, over = (
        (dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).isoformat() for days in (30, 31)
    )
    good = dict.fromkeys(("scheduled_at", "scheduleTime"), later) | {"expires_at": over}
    good |= dict.fromkeys(("sender_id", "senderId"), "TALKNTALK")
    document: dict[str, Any] = json.loads(dialect.file.read_text())
    waiting: list[Any] = [document["components"], document["paths"]]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("name") == "Prefer":  # nothing is sent here: waiting waits to its end
                value["schema"] = {"type": "string", "examples": ["wait=0"]}
            for name in good.keys() & value.get("properties", {}).keys():
                schema = value["properties"][name]
                value["properties"][name] = {"anyOf": [{"const": good[name]}, schema]}
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return document


def run(dialect: Dialect, port: int, key: str, options: argparse.Namespace, folder: Path) -> int:
    url = f"http://127.0.0.1:{port}"
    file = folder / "openapi.json"
    file.write_text(json.dumps(known_document(dialect)))
    command = [
        str(TOOL / "bin" / "schemathesis"), "run",
        str(file), "--url", url, "-H", f"Authorization: Bearer {key}",
        "--checks", "all", "--max-examples", str(options.examples), "--seed", str(options.seed),
        "--phases", options.phases, "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def report(counts: list[tuple[str, str, int, str, int]]) -> bool:
    """Print the counts by status; whether a quarter of the answers is a success, and none a 500."""
    by_status: Counter[int] = Counter()
    by_code: Counter[str] = Counter()
    for name, _, status, code, count in counts:
        by_status[status] += count
        by_code[f"{status} {code} ({name})"] += count if code else 0
    total = by_status.total()
    good = sum(count for status, count in by_status.items() if status < 300)
    print(f"{total} requests, {good / total:.0%} of them with success")
    for status, count in sorted(by_status.items()):
        print(f"  {status}: {count}")
    refusals = (f"{count} {code}" for code, count in by_code.most_common(8))
    print("most refused: " + ", ".join(refusals))
    return by_status[500] == 0 and good >= total / 4


if __name__ == "__main__":
    sys.exit(main())
