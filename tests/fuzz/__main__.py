"""``python -m tests.fuzz [examples] [--limited] [--seed N]``

schemathesis has an environment of its own (``.venv/fuzz``): it speaks HTTP and needs nothing of ours.
Ends with the counts by status and exits 1 on any failed check.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / ".venv" / "fuzz"
CONFIG = Path(__file__).with_name("schemathesis.toml")
#: How often a value of the dictionaries stands where the schema cannot know a good one.
KNOWN = 0.8
DOCUMENT = ROOT / "bulksms" / "api" / "v1" / "openapi.json"
REQUIREMENT = "schemathesis>=4.32,<4.33"


def main() -> int:
    options = parser().parse_args()
    install()
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
            (Path(folder) / "schemathesis.toml").write_text(configuration(up))
            status = run(up["port"], up["key"], options, Path(folder))
            ask_the_rest(up["port"], up, partial(tell, server))
            server.stdin.close()
            counts = json.loads(server.stdout.readline())
        finally:
            server.terminate()
            server.wait(10)
    good = report(counts)
    missing = unseen(counts)
    print("documented and not seen:", ", ".join(missing) or "nothing")
    return status or int(not good)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    found.add_argument("examples", type=int, nargs="?", default=180, help="per operation (180)")
    found.add_argument("--limited", action="store_true", help="with request limits on")
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


def ask_the_rest(port: int, up: dict[str, str], tell: Callable[[str], None]) -> None:
    """What the tool does not come to, or a server only in trouble answers: 402 to 503."""
    body = json.dumps({"mobile": "254712345678", "message": "Hi", "max_cost": 0}).encode()
    key, length = {"Authorization": f"Bearer {up['key']}"}, {"Content-Length": str(len(body))}
    ask(port, key | length, body)
    ask(port, {"Authorization": f"Bearer {up['reader']}"} | length, body)
    ask(port, key | {"Transfer-Encoding": "chunked"}, None)
    ask(port, key | {"Content-Length": str(10**9)}, None)
    tell("stop")
    ask(port, key | length, body)
    tell("limit")
    ask(port, key | length, body)


def ask(port: int, headers: dict[str, str], body: bytes | None) -> None:
    line = HTTPConnection("127.0.0.1", port, timeout=10)
    line.putrequest("POST", "/v1/sms/send/")
    for name, value in {"Content-Type": "application/json", **headers}.items():
        line.putheader(name, value)
    line.endheaders(body)
    line.getresponse().read()
    line.close()


def configuration(up: dict[str, object]) -> str:
    """The settings file, and the values that only this server knows."""
    words = {
        "campaigns": up["campaigns"],
        "senders": ["TALKNTALK"],
        "mobiles": ["254712345678", "254723456789"],
        "keys": [str(uuid4()) for _ in range(5_000)],
    }
    places = {
        "path.campaign_id": "campaigns", "body.campaign_id": "campaigns",
        "body.sender_id": "senders", "query.sender_id": "senders", "body.mobile": "mobiles",
        "header.Idempotency-Key": "keys",
    }  # fmt: skip
    lines = [CONFIG.read_text(), "[parameters]"]
    for place, name in places.items():
        lines.append(f'"{place}" = {{ dictionary = "{name}", probability = {KNOWN} }}')
    for name, values in words.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    return "\n".join(lines)


def run(port: int, key: str, options: argparse.Namespace, folder: Path) -> int:
    url = f"http://127.0.0.1:{port}"
    command = [
        str(TOOL / "bin" / "schemathesis"), "run",
        f"{url}/v1/openapi.json", "--url", url, "-H", f"Authorization: Bearer {key}",
        "--checks", "all", "--max-examples", str(options.examples), "--seed", str(options.seed),
        "--phases", options.phases, "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, check=False).returncode


def report(counts: list[tuple[str, str, int, int]]) -> bool:
    """Print the counts by status; whether a quarter of the answers is a success, and none a 500."""
    by_status: Counter[int] = Counter()
    for _, _, status, count in counts:
        by_status[status] += count
    total = by_status.total()
    good = sum(count for status, count in by_status.items() if status < 300)
    print(f"{total} requests, {good / total:.0%} of them with success")
    for status, count in sorted(by_status.items()):
        print(f"  {status}: {count}")
    return by_status[500] == 0 and good >= total / 4


def unseen(counts: list[tuple[str, str, int, int]]) -> list[str]:
    """The statuses that the document names and nobody answered, whatever the operation."""
    document = json.loads(DOCUMENT.read_text())
    named = {
        status
        for methods in document["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    return sorted(named - {str(status) for _, _, status, _ in counts})


if __name__ == "__main__":
    sys.exit(main())
