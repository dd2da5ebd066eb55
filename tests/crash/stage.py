"""One cell's world: the simulator, its clock, the proxy, the worker to be struck, a healthy one.

The simulator and the proxy serve real HTTP from threads of the test's process; reports come by HTTP
into a live server. Time is virtual, so leases and settle times really end, at once; only the
request's own deadline is real.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from django.db import connection

from bulksms import send_bulk, states
from bulksms.models import Campaign, Message
from bulksms.services import audit, reconcile, routing
from bulksms.testing import drain
from simulator.clocks import FileClock
from simulator.testing import serve_in_thread
from simulator.testing.server import SimulatorThread
from tests.crash.clock import shared
from tests.crash.proxy import Proxy
from tests.factories import kenyan_numbers, make_organisation
from tests.plugins.databases import URL_VARIABLE

SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"
TOKEN = "crash-matrix"
#: Real seconds; the lease and everything else is virtual.
SUBMIT_TIMEOUT_S = 2.0
LEASE_S = 60.0
#: How long a test waits for a process to start or to be struck, and to do its part.
START_S = 20.0
PATIENCE_S = 60.0
#: A healthy worker looks again after so much virtual time, so often: past lease and settle time;
#: with a query, past several of them: each may free rows that the carrier then loses again.
STEP_S, STEPS, STEPS_WITH_QUERY = 75, 12, 40
REPORT_DEADLINE_H = 73


class Nursery:
    """The process that forks workers, and what became of each of them."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, bufsize=1,
            env={**os.environ, URL_VARIABLE: _url(connection.settings_dict)},
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"no worker can be started:\n{self.complaints()}")
        self._changes: dict[int, queue.SimpleQueue[str]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def fork(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")

    def wait(self, pid: int, change: str) -> None:
        """Wait until process ``pid`` has done ``change``: "stopped", "ended -9"."""
        seen = []
        while change not in seen:
            try:
                seen.append(self._changes_of(pid).get(timeout=START_S))
            except queue.Empty:
                raise AssertionError(f"{pid} {seen}, not {change}\n{self.complaints()}") from None

    def _changes_of(self, pid: int) -> queue.SimpleQueue[str]:
        return self._changes.setdefault(pid, queue.SimpleQueue())

    def complaints(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self._log.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                pid, _, change = line.strip().partition(" ")
                self._changes_of(int(pid)).put(change)


def _url(settings: Mapping[str, Any]) -> str:
    """A database URL that tests/plugins/databases.py reads back."""
    user = f"{settings['USER']}:{settings['PASSWORD']}".rstrip(":")
    host = settings["HOST"] or "localhost"
    if host.startswith("/"):
        return f"postgresql://{user}@/{settings['NAME']}?host={host}"
    return f"postgresql://{user}@{host}:{settings['PORT'] or 5432}/{settings['NAME']}"


class Worker:
    """A process that does what it is told until it is struck."""

    def __init__(self, nursery: Nursery, order: Mapping[str, Any]) -> None:
        self._nursery = nursery
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(START_S)
            nursery.fork({**order, "port": listener.getsockname()[1]})
            try:
                self._socket, _ = listener.accept()
            except TimeoutError:
                raise RuntimeError(f"no worker came:\n{nursery.complaints()}") from None
        self._socket.settimeout(PATIENCE_S)
        self._wire = self._socket.makefile("rw")
        self.pid = int(self._wire.readline())
        self._is_dead = False
        self.is_struck = threading.Event()
        self.struck_at = 0.0

    def tell(self, command: str) -> None:
        self._wire.write(f"{command}\n")
        self._wire.flush()

    def hear(self) -> str:
        """Its next answer; empty if it died."""
        return self._wire.readline().strip()

    def ask(self, command: str) -> str:
        self.tell(command)
        return self.hear()

    def strike(self, signal_number: signal.Signals) -> bool:
        """Strike it from outside and see it happen; whether it is dead."""
        os.kill(self.pid, signal_number)
        return self.await_blow(signal_number)

    def await_blow(self, signal_number: signal.Signals) -> bool:
        self._is_dead = signal_number == signal.SIGKILL
        self._nursery.wait(self.pid, "ended -9" if self._is_dead else "stopped")
        self.struck_at = time.monotonic()
        self.is_struck.set()
        return self._is_dead

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        if not self._is_dead:
            self.strike(signal.SIGKILL)
        self._wire.close()
        self._socket.close()


class Stage:
    """What a cell plays on."""

    def __init__(
        self, nursery: Nursery, simulator: SimulatorThread, proxy: Proxy, bulksms: dict[str, Any]
    ) -> None:
        self._nursery = nursery
        self._bulksms = bulksms
        self._workers: list[Worker] = []
        self.simulator = simulator
        self.proxy = proxy
        self.campaign_id: Any = None

    def send(self, count: int, text: str = "Hi") -> None:
        result = send_bulk(
            recipients=kenyan_numbers(count), message=text, organisation=make_organisation()
        )
        assert result.queued == count
        self.campaign_id = result.id

    def worker(self, point: str = "", signal_number: signal.Signals = signal.SIGKILL) -> Worker:
        """A worker whose requests go through the proxy, to be struck at ``point``."""
        worker = Worker(self._nursery, {
            "point": point, "signal": signal_number.name,
            "clock": str(shared.path or ""), "bulksms": through(self._bulksms, self.proxy.url),
        })  # fmt: skip
        self._workers.append(worker)
        return worker

    def pass_time(self, seconds: float) -> None:
        """Move everybody's clock; reports that fall due are posted and answered meanwhile."""
        answer = requests.post(
            f"{self.simulator.url}/_sim/clock/advance", json={"by": seconds}, timeout=PATIENCE_S
        )
        assert answer.status_code == 200, answer.text

    def finish(self) -> None:
        """A healthy worker's loop, until all is final or nothing more can be known."""
        has_query = routing.carrier("main").has_query
        for _ in range(STEPS_WITH_QUERY if has_query else STEPS):
            drain()
            if not Message.objects.filter(status__in=states.OPEN).exists():
                return
            self.pass_time(STEP_S)
            reconcile.tick_once()
        drain()

    def finish_in_real_time(self) -> None:
        """The same where time is the machine's: reports come as soon as they are due."""
        until = time.monotonic() + PATIENCE_S
        while Message.objects.filter(status__in=states.OPEN).exists():
            assert time.monotonic() < until, f"still {self.statuses()}"
            reconcile.tick_once()
            if not drain():
                wait_until(time.monotonic() + 0.05)

    def reach_deadline(self) -> None:
        self.pass_time(REPORT_DEADLINE_H * 3600)
        reconcile.tick_once()
        drain()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    # What became of it

    def statuses(self) -> Counter[str]:
        return Counter(Message.objects.values_list("status", flat=True))

    def accepted(self) -> Counter[int]:
        """How often messages were accepted -> how many of them."""
        accepted_count = self.simulator.engine.oracle.accepted_count
        ids = list(Message.objects.values_list("id", flat=True))
        return self.simulator.call(lambda: Counter(accepted_count(str(id_)) for id_ in ids))

    @property
    def duplicates(self) -> tuple[int, int]:
        return self.simulator.call(self.simulator.engine.oracle.duplicates)

    def faults(self) -> list[str]:
        return [f"{fault}" for fault in audit.faults()]

    def counters(self) -> Counter[str]:
        """The campaign's own count of its rows, by status."""
        campaign = Campaign.objects.get(id=self.campaign_id)
        counts = {status: getattr(campaign, name) for status, name in states.COUNTERS.items()}
        return +Counter(counts)


def through(bulksms: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The same settings with the carrier at ``url``."""
    main = bulksms["CARRIERS"]["main"]
    carrier = {**main, "OPTIONS": {**main["OPTIONS"], "url": url}}
    return {**bulksms, "CARRIERS": {"main": carrier}}


def settings_of(*, query: bool, per_request: int, window: int = 4) -> dict[str, Any]:
    """``BULKSMS``, but for the carrier's address."""
    backend = "bulksms.carriers.simulator.SimulatorCarrier"
    options = {"report_secret": SECRET, "max_batch": per_request, "window": window}
    return {
        "CARRIERS": {
            "main": {
                "BACKEND": backend if query else "tests.crash.carriers.WithoutQuery",
                "OPTIONS": options,
                "REPORT_TOKEN": TOKEN,
            }
        },
        "SUBMIT_TIMEOUT_S": SUBMIT_TIMEOUT_S,
        "LEASE_S": LEASE_S,
    }


@contextmanager
def open_stage(
    nursery: Nursery, settings: Any, report_host: str, folder: Path,
    *, bulksms: Mapping[str, Any], rules: Sequence[object] = (), virtual: bool = True,
) -> Iterator[Stage]:  # fmt: skip
    """A stage for one cell; ``settings`` are pytest-django's, ``report_host`` is a live server."""
    with ExitStack() as cleanup:
        if virtual:
            clock = FileClock(folder / f"clock-{next(_numbers)}")
            cleanup.callback(clock.close)
            shared.path = clock.path
            bulksms = {**bulksms, "CLOCK": "tests.crash.clock.shared"}
        else:
            clock, shared.path = None, None
        simulator = cleanup.enter_context(serve_in_thread(
            seed=7, rules=rules, clock=clock, secret=SECRET, report_batch=500, report_grain_s=1,
            report_url=f"{report_host}/callbacks/main/{TOKEN}/",
            report_delay_s=(1, 3) if virtual else 0,
        ))  # fmt: skip
        _, _, port = simulator.url.rpartition(":")
        proxy = cleanup.enter_context(Proxy(("127.0.0.1", int(port))))
        settings.BULKSMS = through(bulksms, simulator.url)
        cleanup.callback(lambda: routing.carrier("main").close())
        stage = Stage(nursery, simulator, proxy, settings.BULKSMS)
        cleanup.callback(stage.close)
        yield stage


_numbers = itertools.count(1)


def wait_until(moment: float) -> None:
    """Real time: the deadline of a request is not virtual."""
    while (left := moment - time.monotonic()) > 0:
        threading.Event().wait(left)
