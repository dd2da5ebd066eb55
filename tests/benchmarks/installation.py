"""A whole installation in real processes: web server, workers, simulator, beside the database.

They work on the test's own database, so that a test reads with the ORM what became of its messages.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db import connection

from bulksms.models import Campaign
from tests.benchmarks.cpu import backend, family_seconds, parent_of
from tests.benchmarks.layout import CLIENTS, THREADS, WORKERS
from tests.benchmarks.settings import TOKEN
from tests.chaos.servers import Broker, Process, free_port, wait_for
from tests.chaos.world import answers, get
from tests.plugins.databases import URL_VARIABLE

PYTHON = sys.executable
REPORTS_IN_A_BODY = 500
LOOK_S, TIMEOUT_S = 0.05, 120.0


class Installation:
    """Its processes and their addresses."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self._carrier = f"http://127.0.0.1:{free_port()}"
        self._port = free_port()
        self._folder = folder / str(self._port)
        self._folder.mkdir()
        self._env = {
            URL_VARIABLE: database_url(),
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
            "CHAOS_BROKER": broker.url(broker.port),
            "CHAOS_CARRIER": self._carrier,
            "PYTHONUNBUFFERED": "1",
        }
        self._groups: dict[str, list[Process]] = {"web": [], "workers": [], "simulator": []}

    def start(self) -> None:
        django = [PYTHON, "-m", "django"]
        site = f"127.0.0.1:{self._port}"
        # With runserver each connection would be a thread with a database connection of its own.
        self._start(
            "web",
            [PYTHON, "-m", "gunicorn", "--bind", site, "--workers", "1", "--threads", str(THREADS),
             "--log-level", "warning", "tests.benchmarks.wsgi"],
        )  # fmt: skip
        for _ in range(WORKERS):
            self._start("workers", [*django, "bulksms_worker", "--threads", str(THREADS)])
        reports = f"http://{site}/callbacks/main/{TOKEN}/"
        self._start(
            "simulator",
            [PYTHON, "-m", "simulator", "--http", self._carrier.rpartition(":")[2], "--quiet",
             "--report-delay", "0", "--report-batch", str(REPORTS_IN_A_BODY),
             "--report-url", reports],
        )  # fmt: skip
        wait_for(lambda: answers(f"http://{site}/nothing"), "the web server")
        wait_for(lambda: answers(f"{self._carrier}/_sim/oracle/summary"), "the simulator")
        wait_for(self._workers_are_up, "the workers")

    def close(self) -> None:
        for process in self._all():
            process.close()

    def post_all(self, key: str, bodies: Sequence[bytes]) -> list[UUID]:
        """POST every body to send-bulk, CLIENTS at a time; the ids of their campaigns."""
        shares = [bodies[client::CLIENTS] for client in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as clients:
            found = clients.map(lambda share: self._post_each(key, share), shares)
            return [campaign for campaigns in found for campaign in campaigns]

    def _post_each(self, key: str, bodies: Sequence[bytes]) -> list[UUID]:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        found = []
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)) as line:
            for body in bodies:
                line.request("POST", "/v1/sms/send-bulk/", body, headers)
                answer = line.getresponse()
                text = answer.read()
                assert answer.status == 201, text[:500]
                found.append(UUID(json.loads(text)["campaign_id"]))
        return found

    def wait_until_finished(self, campaigns: Sequence[UUID], timeout_s: float) -> None:
        """Until all of these are: to look through all that ever were would cost time itself."""
        until = time.monotonic() + timeout_s
        open_ = Campaign.objects.filter(id__in=campaigns, finished_at=None)
        while open_.exists():
            self._check()
            assert time.monotonic() < until, list(open_.values())
            time.sleep(LOOK_S)

    def oracle(self) -> dict[str, Any]:
        """What the simulator really took."""
        return get(f"{self._carrier}/_sim/oracle/summary")

    def cpu_seconds(self) -> Mapping[str, float]:
        """Processor time so far, by group."""
        found = {
            name: sum(family_seconds(process.pid) for process in group)
            for name, group in self._groups.items()
        }
        return {**found, "PostgreSQL": family_seconds(postmaster())}

    def _start(self, group: str, command: list[str]) -> None:
        log = self._folder / f"{group}-{len(self._groups[group])}.log"
        self._groups[group].append(Process(command, log, self._env))

    def _all(self) -> list[Process]:
        return [process for group in self._groups.values() for process in group]

    def _check(self) -> None:
        dead = [process for process in self._all() if not process.is_alive()]
        assert not dead, "\n".join(process.tail() for process in dead)

    def _workers_are_up(self) -> bool:
        self._check()
        return all("worker.up" in process.log.read_text() for process in self._groups["workers"])


@contextmanager
def open_installation(folder: Path, broker: Broker) -> Iterator[Installation]:
    """One on the test's database and an empty broker."""
    if broker.name == "redis":
        broker.empty()
    installation = Installation(folder, broker)
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


def database_url() -> str:
    """Where the test's database is, for another process."""
    given = connection.settings_dict
    who = quote(str(given["USER"])) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    where = f"{given['HOST']}:{given['PORT']}".removesuffix(":")
    if str(given["HOST"]).startswith("/"):
        return f"postgresql://{who}@/{given['NAME']}?host={quote(given['HOST'])}"
    return f"postgresql://{who}@{where}/{given['NAME']}"


def postmaster() -> int:
    """The process that is the parent of the database's others."""
    return parent_of(backend())


def bodies(numbers: Sequence[str], text: str, size: int) -> list[bytes]:
    """Requests of ``size`` recipients each."""
    return [
        json.dumps({"recipients": numbers[start : start + size], "message": text}).encode()
        for start in range(0, len(numbers), size)
    ]
