"""A whole installation: database, broker behind a gate, carrier, web server, workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import requests

from bulksms import states
from tests.chaos import settings as chaos
from tests.chaos.gate import Gate
from tests.chaos.servers import Broker, Postgres, Process, free_port, wait_for
from tests.plugins.databases import URL_VARIABLE

PYTHON = sys.executable
THREADS = 4


class World:
    """Its processes, and what became of its one campaign."""

    def __init__(
        self, folder: Path, database: Postgres, broker: Broker, gate: Gate, *, seed: int,
        latency: object, max_batch: int, defaults: bool, faults: Sequence[object],
    ) -> None:  # fmt: skip
        self.folder, self.database, self.broker, self.gate = folder, database, broker, gate
        self.seed = seed
        self._rules = [{"name": "busy", "latency": latency}, *faults]
        self.carrier_url = f"http://127.0.0.1:{free_port()}"
        self.site_port = free_port()
        self.env = {
            URL_VARIABLE: database.url,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "CHAOS_BROKER": broker.url(gate.port),
            "CHAOS_BROKER_DEFAULTS": "1" if defaults else "",
            "CHAOS_CARRIER": self.carrier_url,
            "CHAOS_MAX_BATCH": str(max_batch),
            "PYTHONUNBUFFERED": "1",
        }
        self.workers: list[Process] = []
        self._others: list[Process] = []
        self._started = 0

    # Processes

    def start(self, messages: int, workers: int) -> None:
        self._start_simulator()
        self._start_site()
        assert self.deed("send", str(messages))["queued"] == messages
        self.workers = [self.start_worker() for _ in range(workers)]

    def start_worker(self) -> Process:
        self._started += 1
        command = [PYTHON, "-m", "django", "bulksms_worker", "--threads", str(THREADS)]
        return Process(command, self.folder / f"worker-{self._started}.log", self.env)

    def await_workers(self) -> None:
        """Until every worker that was started is up."""
        wait_for(lambda: len(self.events("worker.up")) == self._started, "all workers")

    def deed(self, name: str, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [PYTHON, "-m", "tests.chaos.deeds", name, *words], env={**os.environ, **self.env},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def close(self) -> None:
        for process in (*self.workers, *self._others):
            process.close()

    def _start_simulator(self) -> None:
        rules = self.folder / "rules.json"
        rules.write_text(json.dumps(self._rules))
        port = self.carrier_url.rpartition(":")[2]
        report_url = f"http://127.0.0.1:{self.site_port}/callbacks/main/{chaos.TOKEN}/"
        command = [
            PYTHON, "-m", "simulator", "--http", port, "--seed", str(self.seed),
            "--rules", str(rules), "--secret", chaos.SECRET, "--report-url", report_url,
            "--report-delay", "0-2", "--report-batch", "200", "--report-grain", "0.5", "--quiet",
        ]  # fmt: skip
        self._others.append(Process(command, self.folder / "simulator.log"))
        wait_for(lambda: answers(f"{self.carrier_url}/_sim/oracle/summary"), "the simulator")

    def _start_site(self) -> None:
        command = [PYTHON, "-m", "django", "runserver", f"127.0.0.1:{self.site_port}"]
        command += ["--noreload", "--skip-checks"]
        self._others.append(Process(command, self.folder / "site.log", self.env))
        wait_for(lambda: answers(self.site("nothing")), "the web server")

    def site(self, path: str) -> str:
        return f"http://127.0.0.1:{self.site_port}/{path}"

    # What became of it

    def statuses(self) -> Counter[str]:
        """Empty while the database is away."""
        try:
            with psycopg.connect(self.database.url, connect_timeout=3) as connection:
                sql = "SELECT status, count(*) FROM bulksms_message GROUP BY status"
                return Counter(dict(connection.execute(sql).fetchall()))
        except psycopg.OperationalError:
            return Counter()

    def count(self, table: str, where: str) -> int:
        with psycopg.connect(self.database.url, connect_timeout=3) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
        return int(row[0]) if row else 0

    def tick(self) -> tuple[str, float]:
        """Who has the tick's lease, and how long ago it beat (s)."""
        sql = (
            "SELECT owner, extract(epoch FROM clock_timestamp() - beaten_at)"
            " FROM bulksms_lease WHERE name = 'tick'"
        )
        with psycopg.connect(self.database.url, connect_timeout=3) as connection:
            row = connection.execute(sql).fetchone()
        return (row[0], float(row[1])) if row else ("", 0.0)

    def is_finished(self) -> bool:
        found = self.statuses()
        return bool(found) and not set(found) & states.OPEN

    def oracle(self) -> dict[str, Any]:
        return get(f"{self.carrier_url}/_sim/oracle/summary")

    def accepted_references(self) -> set[str]:
        found = get(f"{self.carrier_url}/_sim/oracle/messages?limit=10000")
        return {m["client_ref"] for m in found["messages"] if m["status"] == "accepted"}

    def events(self, name: str) -> dict[str, int]:
        """How often each process logged the event ``name``."""
        found: Counter[str] = Counter()
        for log in self.folder.glob("*.log"):
            found[log.stem] = sum(
                f'"event": "{name}"' in line for line in log.read_text().splitlines()
            )
        return +found

    def complaints(self) -> str:
        return "\n".join(f"{worker.log.name}:\n{worker.tail()}" for worker in self.workers)


def get(url: str) -> dict[str, Any]:
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def answers(url: str) -> bool:
    try:
        return bool(requests.get(url, timeout=2).status_code)
    except requests.RequestException:
        return False


@contextmanager
def open_world(
    folder: Path, database: Postgres, broker: Broker, *, seed: int = 1,
    latency: object = (1.0, 2.5), max_batch: int = 50, defaults: bool = False,
    faults: Sequence[object] = (),
) -> Iterator[World]:  # fmt: skip
    """An installation of its own in an empty database and an empty broker."""
    with ExitStack() as cleanup:
        gate = Gate(broker.port)
        cleanup.callback(gate.close)
        _empty(database)
        if broker.name == "redis":
            broker.empty()
        world = World(
            folder, database, broker, gate, seed=seed, latency=latency, max_batch=max_batch,
            defaults=defaults, faults=faults,
        )  # fmt: skip
        cleanup.callback(world.close)
        yield world


def _empty(database: Postgres) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def stop_nicely(process: Process, timeout_s: float) -> tuple[int, float]:
    """SIGTERM; returns the exit code and how long it took."""
    started = time.monotonic()
    process.signal(signal.SIGTERM)
    return process.wait(timeout_s), time.monotonic() - started
