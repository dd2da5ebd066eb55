"""manage.py bulksms_demo: the main job from end to end, as a client of a real server sees it."""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from shop import contacts
from shop.demo.chaos import Accident, ChaosSite
from shop.demo.site import Site

CUSTOMERS = 1_000
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."
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
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--serve", action="store_true", help="keep everything up afterwards")
        how.add_argument("--chaos", action="store_true", help="kill a worker in mid-request")

    def handle(self, **options: Any) -> None:
        with ExitStack() as running:
            folder = Path(
                running.enter_context(tempfile.TemporaryDirectory(prefix="bulksms-demo-"))
            )
            kind = ChaosSite if options["chaos"] else Site
            site = kind(folder, seed=options["seed"])
            site.set_up()
            running.callback(site.stop)
            site.start()
            self.run(site, options["seed"])
            if options["serve"]:
                self.stay(site)

    def run(self, site: Site, seed: int) -> None:
        people = contacts.make(CUSTOMERS, seed)
        self.stdout.write(
            f"server {site.url}, fake carrier {site.simulator}, SQLite, {site.staff}\n"
        )
        answer = site.post(
            "/v1/sms/send-bulk/", {"recipients": [c.number for c in people], "message": TEXT}
        )
        self.show_answer(answer, people)
        if isinstance(site, ChaosSite):
            accident = Accident(site, tqdm.write)
            accident.happen()
            status = self.follow(site, answer["campaign_id"], accident.look)
            accident.show_end()
        else:
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

    def follow(
        self, site: Site, campaign_id: str, look: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Poll the campaign until it is completed, with a bar of finished messages.

        ``look`` is called at every poll.
        """
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
                look()
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
