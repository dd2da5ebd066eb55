"""Clocks, and time that is moved event by event."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator.clocks import (
    FileClock,
    VirtualClock,
    from_iso,
    from_micros,
    read_file_clock,
    to_iso,
    to_micros,
)
from simulator.testing import serve_in_thread
from tests.simulator.helpers import Receiver, call, message, send

ROOT = Path(simulator.__file__).parent
HOURS_72 = 72 * 3600


def test_times_survive_the_way_to_text_and_back() -> None:
    moment = datetime(2026, 5, 1, 12, 30, 15, 250, tzinfo=UTC)

    assert from_micros(to_micros(moment)) == moment
    assert from_iso(to_iso(to_micros(moment))) == to_micros(moment)
    with pytest.raises(ValueError, match="no time zone"):
        to_micros(datetime(2026, 5, 1))  # noqa: DTZ001 (that is the point)


def test_a_virtual_clock_never_goes_back() -> None:
    clock = VirtualClock()
    with pytest.raises(ValueError, match="is before now"):
        clock.move_to(clock.now_micros() - 1)


def test_a_file_clock_is_read_by_others(tmp_path: Path) -> None:
    clock = FileClock(tmp_path / "clock")
    clock.move_to(clock.now_micros() + 5)

    assert read_file_clock(tmp_path / "clock") == clock.now_micros()
    assert (tmp_path / "clock").stat().st_size == 8
    clock.close()


def test_the_engine_takes_no_time_waits_for_nothing_and_draws_from_no_generator() -> None:
    banned = {"time", "random", "asyncio", "socket", "threading", "secrets", "uuid", "aiohttp"}
    for path in sorted((ROOT / "engine").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                imported = [f"{node.module}.{alias.name}" for alias in node.names]
            tops = {name.split(".")[0] for name in imported} - {"uuid"}
            assert not tops & banned, f"{path.name} imports {imported}"
            called = node.attr if isinstance(node, ast.Attribute) else ""
            assert called not in {"sleep", "now", "utcnow", "today", "uuid4"}, path.name


# --- advancing -------------------------------------------------------------------------------


def advance(url: str, body: object) -> Any:
    return call("POST", f"{url}/_sim/clock/advance", body, timeout=60)


def test_advancing_stops_at_each_report_and_waits_for_its_answer() -> None:
    with (
        Receiver() as receiver,
        serve_in_thread(
            clock=VirtualClock(), report_url=receiver.url, report_delay_s=(1, 100_000)
        ) as simulator,
    ):
        send(simulator.url, [message(index) for index in range(50)])
        answer = advance(simulator.url, {"by": 100_000}).json()

    times = [report["at"] for report in receiver.bodies()]
    assert answer["callbacks"] == 50
    assert times == sorted(times)
    assert answer["now"] == "2026-01-02T03:46:40.000000Z"


def test_retries_of_a_callback_run_on_virtual_time() -> None:
    with (
        Receiver(500, 500, 500) as receiver,
        serve_in_thread(
            clock=VirtualClock(), report_url=receiver.url, report_delay_s=10
        ) as simulator,
    ):
        send(simulator.url, [message(1)])
        advance(simulator.url, {"by": 60})
        found = call("GET", f"{simulator.url}/_sim/oracle/messages?client_ref=ref-1").json()

    attempts = found["messages"][0]["reports"][0]["attempts"]
    assert [(a["at"][14:19], a["status"]) for a in attempts] == [
        ("00:10", 500),
        ("00:11", 500),
        ("00:14", 500),
        ("00:22", 200),
    ]
    assert len({body for _, body in receiver.posts}) == 1


def test_a_redirect_is_not_followed_and_acknowledges_nothing() -> None:
    with (
        Receiver(307) as receiver,
        serve_in_thread(
            clock=VirtualClock(), report_url=receiver.url, report_delay_s=10
        ) as simulator,
    ):
        send(simulator.url, [message(1)])
        advance(simulator.url, {"by": 10})
        redirected = len(receiver.posts)
        advance(simulator.url, {"by": 1})

    assert (redirected, len(receiver.posts)) == (1, 2)


def test_a_peer_that_does_not_answer_stops_the_advance() -> None:
    with serve_in_thread(clock=VirtualClock()) as simulator:
        peers = {"peers": [{"name": "app", "url": "http://127.0.0.1:9/tick"}]}
        call("PUT", f"{simulator.url}/_sim/clock/peers", peers)

        answer = advance(simulator.url, {"by": 1})

    assert (answer.status, answer.json()["code"]) == (502, "peer_failed")
    assert "peer app" in answer.json()["detail"]


def test_a_peer_that_is_due_for_ever_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.http.advance.MOST_ROUNDS_AT_ONCE", 20)
    with served_peer({"next_due_at": 0}) as url, serve_in_thread(clock=VirtualClock()) as simulator:
        call("PUT", f"{simulator.url}/_sim/clock/peers", {"peers": [{"name": "app", "url": url}]})

        answer = advance(simulator.url, {"by": 1})

    assert (answer.status, answer.json()["code"]) == (409, "stuck")


@contextmanager
def served_peer(answer: object) -> Iterator[str]:
    """A peer that always answers the same."""
    with Receiver(body=json.dumps(answer).encode()) as receiver:
        yield receiver.url


# --- 72 hours, two processes -----------------------------------------------------------------

RULES = """
[[rules]]
match = { share = 15 }
lose_answer = "reset"
[[rules]]
match = { share = 20 }
process_late = { after_s = 4000, tries = 1 }
[[rules]]
throttle = { share = 30, tries = 3 }
[[rules]]
match = { share = 30 }
report = { state = "delivered", delay_s = 255600 }
[[rules]]
match = { share = 20 }
report = false
[[rules]]
queue = { depth = 5, drain_per_second = 0.02 }
"""


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT.parent,
    )
    try:
        yield started
    finally:
        started.terminate()
        started.communicate(timeout=10)


def story(folder: Path) -> tuple[list[Any], dict[str, str]]:
    """Run the carrier and an application in two processes through 72 hours; return its log."""
    folder.mkdir()
    rules, clock = folder / "rules.toml", folder / "clock"
    rules.write_text(RULES, encoding="utf-8")
    carrier_command = (
        *("-m", "simulator", "--http", "0", "--seed", "5", "--quiet"),
        *("--clock", f"file:{clock}", "--rules", str(rules)),
    )
    with process(*carrier_command) as carrier:
        url = _url_of(carrier)
        with process(str(Path(__file__).with_name("peer_app.py")), str(clock), url) as app:
            assert app.stdout is not None
            peer = f"http://127.0.0.1:{app.stdout.readline().strip()}"
            account = {"key": "test-key", "seed": 5, "report_url": f"{peer}/reports"}
            source = call("GET", f"{url}/_sim/rules").json()
            call("PUT", f"{url}/_sim/accounts/default", {**account, "rules": source})
            peers = {"peers": [{"name": "app", "url": f"{peer}/tick"}]}
            call("PUT", f"{url}/_sim/clock/peers", peers)
            assert advance(url, {"by": HOURS_72}).status == 200
            found = call("GET", f"{peer}/log").json()
    return found["log"], found["done"]


def _url_of(carrier: subprocess.Popen[str]) -> str:
    assert carrier.stdout is not None
    for line in carrier.stdout:
        if "/_sim/oracle/summary" in line:
            return line.split()[1].removesuffix("/_sim/oracle/summary")
    raise AssertionError("the simulator did not start")


@pytest.mark.slow
def test_72_hours_of_carrier_and_application_pass_in_seconds_twice_the_same(
    tmp_path: Path,
) -> None:
    begun = time.monotonic()

    log, done = story(tmp_path / "one")
    again, _ = story(tmp_path / "two")

    assert time.monotonic() - begun < 30
    assert log == again
    assert len(done) == 30
    kinds = Counter(kind for _, kind, _, _ in log)
    assert {"answer", "unknown", "query", "report", "expired"} <= set(kinds)
    assert {"throttled", 503} & {said for _, kind, _, said in log if kind == "answer"}
    assert log[-1][0] > 70 * 3600 * 1_000_000
    assert [at for at, *_ in log] == sorted(at for at, *_ in log)
