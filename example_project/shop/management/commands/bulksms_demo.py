"""manage.py bulksms_demo: the main job from end to end, as a client of a real server sees it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from tqdm import tqdm

from bulksms import clock
from bulksms.models import Organisation
from bulksms.services import keys, organisations, wallet
from shop import contacts

CUSTOMERS = 1_000
PRICE_MICROS = 800_000
#: Pays for 850 messages: the wallet runs dry before the list does.
BALANCE_MICROS = 850 * PRICE_MICROS
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."
START_TIMEOUT_S = 30
FINISH_TIMEOUT_S = 50

STATES = (
    ("delivered", "delivered_count", "on the handset"),
    ("undelivered", "undelivered_count", "the carrier reports: not delivered"),
    ("unconfirmed", "unconfirmed_count", "sent, no report within 72 h"),
    ("failed", "failed_count", "refused: invalid, no money, or by the carrier"),
    ("skipped", "skipped_count", "the wallet ran dry before them"),
    ("cancelled", "cancelled_count", "taken back in time"),
    ("on the way", "open_count", "not finished yet"),
)


class Command(BaseCommand):
    help = (
        "Send one bulk SMS to 1,000 customers through a server of its own; show what became of it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="same seed, same table")
        parser.add_argument("--serve", action="store_true", help="keep everything up afterwards")

    def handle(self, **options: Any) -> None:
        with ExitStack() as running:
            folder = Path(
                running.enter_context(tempfile.TemporaryDirectory(prefix="bulksms-demo-"))
            )
            site = Site(folder, seed=options["seed"])
            site.set_up()
            running.callback(site.stop)
            site.start()
            self.run(site, options["seed"])
            if options["serve"]:
                self.stay(site)

    def run(self, site: Site, seed: int) -> None:
        people = contacts.make(CUSTOMERS, seed)
        self.stdout.write(f"server {site.url}, fake carrier {site.simulator}, SQLite, one worker\n")
        answer = site.post(
            "/v1/sms/send-bulk/", {"recipients": [c.number for c in people], "message": TEXT}
        )
        self.show_answer(answer, people)
        status = self.follow(site, answer["campaign_id"])
        self.show_states(status)
        self.show_checks(site, status)

    # What is shown

    def show_answer(self, answer: dict[str, Any], people: list[contacts.Contact]) -> None:
        self.stdout.write(
            f"\nPOST /v1/sms/send-bulk/ ({len(people)} customers) -> {answer['http']}"
        )
        for name in ("campaign_id", "total", "queued", "failed", "duplicates", "total_cost"):
            self.stdout.write(f"  {name:<12} {answer[name]}")
        names = {c.number: c.name for c in people}
        first = {error["detail"]: error for error in reversed(answer["errors"])}
        for detail, error in sorted(first.items(), key=lambda item: item[1]["error"]):
            who = names.get(error["mobile"], "")
            self.stdout.write(f"  {error['error']}: {who} {error['mobile']}: {detail}".rstrip())

    def follow(self, site: Site, campaign_id: str) -> dict[str, Any]:
        """Poll the campaign until it is completed, with a bar of finished messages."""
        deadline = time.monotonic() + FINISH_TIMEOUT_S
        with tqdm(total=None, unit=" messages", desc="finished", leave=True) as bar:
            while True:
                status = site.get(f"/v1/sms/campaigns/{campaign_id}/")
                status["open_count"] = sum(
                    status[f"{name}_count"] for name in ("queued", "awaiting_report", "unknown")
                )
                bar.total = status["recipients_count"]
                bar.n = bar.total - status["open_count"]
                bar.refresh()
                if status["status"] == "completed":
                    return status
                if time.monotonic() > deadline:
                    raise CommandError(f"not finished after {FINISH_TIMEOUT_S} s: {status}")
                time.sleep(0.2)

    def show_states(self, status: dict[str, Any]) -> None:
        self.stdout.write("\nstate          messages")
        for name, column, meaning in STATES:
            self.stdout.write(f"  {name:<12} {status[column]:>7}   {meaning}")
        total = sum(status[column] for _, column, _ in STATES)
        self.stdout.write(f"  {'sum':<12} {total:>7}   of {status['recipients_count']} recipients")
        if total != status["recipients_count"]:
            raise CommandError("the states do not add up to the recipients")
        self.stdout.write(
            f"  delivery rate {status['delivery_rate']}%, cost {status['total_cost']}"
        )

    def show_checks(self, site: Site, status: dict[str, Any]) -> None:
        self.stdout.write("")
        oracle = site.oracle()
        accepted, twice = oracle["accepted"], oracle["duplicates"]
        self.stdout.write(f"the carrier says: {accepted} accepted, asked twice: {twice}")
        if accepted != status["sent_count"] or any(Counter(twice).values()):
            raise CommandError(f"we say {status['sent_count']} were sent")
        balance = site.get("/v1/balance/")
        self.stdout.write(
            f"balance {balance['currency']} {balance['balance']}, held {balance['held']}"
        )
        call_command("bulksms_audit", stdout=self.stdout)

    def stay(self, site: Site) -> None:
        self.stdout.write(
            f"\nEverything stays up: {site.url}, the carrier {site.simulator}/_sim/oracle/summary"
            f"\n\ncurl -s -X POST {site.url}/v1/sms/send-bulk/ \\\n"
            f'  -H "Authorization: Bearer {site.key}" -H "Content-Type: application/json" \\\n'
            f'  -d \'{{"recipients": ["254712345678"], "message": "Hello"}}\'\n\nCtrl-C ends it.'
        )
        try:
            site.server.wait()
        except KeyboardInterrupt:
            self.stdout.write("\nstopping")


class Site:
    """A fresh database, and ``bulksms_start`` running on it: web, workers, fake carrier."""

    server: subprocess.Popen[bytes]

    def __init__(self, folder: Path, seed: int) -> None:
        port, simulator_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.simulator = f"http://127.0.0.1:{simulator_port}"
        self.key = ""
        self._seed, self._port = seed, port
        self._environment = {
            "EXAMPLE_DATABASE": str(folder / "demo.sqlite3"),
            "EXAMPLE_SIMULATOR_URL": self.simulator,
        }

    def set_up(self) -> None:
        """Point this process at the fresh database too; make an organisation whose money ends."""
        connections["default"].settings_dict["NAME"] = self._environment["EXAMPLE_DATABASE"]
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
            sys.executable, sys.argv[0], "bulksms_start", "--port", str(self._port), "--no-migrate",
            "--no-key", "--simulator-seed", str(self._seed), "--simulator-rules", str(rules),
        ]  # fmt: skip
        self.server = subprocess.Popen(
            command, env={**os.environ, **self._environment}, stdout=subprocess.DEVNULL
        )
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

    def oracle(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.simulator}/_sim/oracle/summary") as response:
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
