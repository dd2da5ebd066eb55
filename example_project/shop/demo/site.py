"""The demo's server: a fresh database and ``bulksms_start`` on it, seen as a client sees it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from bulksms import clock
from bulksms.models import Organisation
from bulksms.services import keys, organisations, wallet
from shop import contacts

PRICE_MICROS = 800_000
#: Pays for 850 messages: the wallet runs dry before the list does.
BALANCE_MICROS = 850 * PRICE_MICROS
START_TIMEOUT_S = 30


class Site:
    """A fresh database, and ``bulksms_start`` running on it: web, workers, fake carrier."""

    #: Who is at work, for the first line of the demo.
    staff = "one worker"
    server: subprocess.Popen[bytes]

    def __init__(self, folder: Path, seed: int) -> None:
        self.port, self.simulator_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.simulator = f"http://127.0.0.1:{self.simulator_port}"
        self.key = ""
        self.seed = seed
        self.environment = {
            "EXAMPLE_DATABASE": str(folder / "demo.sqlite3"),
            "EXAMPLE_SIMULATOR_URL": self.simulator,
        }

    def set_up(self) -> None:
        """Point this process at the fresh database too; make an organisation whose money ends."""
        connections["default"].close()  # checks may have opened the one of the settings
        connections["default"].settings_dict["NAME"] = self.environment["EXAMPLE_DATABASE"]
        call_command("migrate", verbosity=0)
        organisation = Organisation.objects.create(name="Demo Ltd", slug="demo")
        wallet.open_wallet(organisation, "KES")
        wallet.top_up(organisation, BALANCE_MICROS, key="demo", note="play money")
        organisations.register_sender(organisation, "DEMO", is_default=True)
        organisations.set_rate(PRICE_MICROS, currency="KES", prefix="254", at=clock.now())
        _, self.key = keys.create(organisation, name="demo")

    def start(self) -> None:
        rules = Path(contacts.__file__).with_name("demo_rules.json")
        command = [
            sys.executable, sys.argv[0], "bulksms_start", "--port", str(self.port), "--no-migrate",
            "--no-key", "--simulator-seed", str(self.seed), "--simulator-rules", str(rules),
        ]  # fmt: skip
        self.server = self.run(command, stdout=subprocess.DEVNULL)
        self.wait_until_up()

    def run(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process that works on the demo's database."""
        return subprocess.Popen(command, env={**os.environ, **self.environment}, **options)

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (_answers(self.url) and _answers(self.simulator)):
            if self.server.poll() is not None or time.monotonic() > deadline:
                raise CommandError("the server did not start")
            time.sleep(0.1)

    def stop(self) -> None:
        if hasattr(self, "server") and self.server.poll() is None:
            self.server.send_signal(2)
            self.server.wait(20)

    # As a client

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call(path, json.dumps(body).encode())

    def get(self, path: str) -> dict[str, Any]:
        return self._call(path, None)

    def oracle(self, question: str = "summary") -> dict[str, Any]:
        """What the fake carrier knows to be true."""
        url = f"{self.simulator}/_sim/oracle/{question}"
        with urllib.request.urlopen(url, timeout=60) as response:
            return dict(json.load(response))

    def _call(self, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return {**json.load(response), "http": response.status}
        except urllib.error.HTTPError as error:
            raise CommandError(f"{path} answered {error.code}: {error.read().decode()}") from error


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url + "/", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
