"""manage.py bulksms_prune"""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from bulksms import conf
from bulksms.services import blanking, pruning
from bulksms.sms import numbers

_WORDS = {
    "blanked": "message(s) without text and number",
    "deleted": "message(s) deleted",
    "reports": "report(s) deleted",
    "submissions": "submission(s) deleted",
    "keys": "idempotency key(s) deleted",
}


class Command(BaseCommand):
    help = (
        "Forget: of campaigns that finished more than --days ago the texts go and the numbers"
        " become keyed hashes (HMAC under SECRET_KEY); with --rows their messages are deleted, and"
        " what they cost stays on the hold. Old reports, submissions and idempotency keys go too."
        " Run it once a day. With --erase one person's messages are blanked now. Ledger and"
        " campaigns stay; bulksms_audit is as quiet as before. Exits 1 if something had to stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--days", type=int, help="what is older goes")
        what.add_argument("--erase", metavar="NUMBER", help="a person's number, e.g. +254712345678")
        parser.add_argument("--rows", action="store_true", help="delete the messages altogether")
        parser.add_argument("--why", default="on request", help="with --erase: for the log")
        parser.add_argument("--actor", default="", help="with --erase: who decides (you)")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        if options["erase"] is not None:
            self._erase(options)
        else:
            self._prune(options)

    def _prune(self, options: Any) -> None:
        try:
            with tqdm(unit=" messages", leave=False, disable=None) as bar:
                done = pruning.prune(
                    days=options["days"], rows=options["rows"], dry_run=options["dry_run"],
                    progress=bar.update,
                )  # fmt: skip
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({**done, "dry_run": options["dry_run"]}))
        else:
            would = "would be: " if options["dry_run"] else ""
            for name, words in _WORDS.items():
                if name in done:
                    self.stdout.write(f"{would}{done[name]} {words}")
        if done["unsound"]:
            raise CommandError(
                f"{done['unsound']} campaign(s) keep their messages: they do not add up. Run"
                " bulksms_audit."
            )

    def _erase(self, options: Any) -> None:
        found = numbers.normalise(options["erase"], str(conf.house()["region"]))
        if isinstance(found, numbers.Refusal):
            raise CommandError(found.detail)
        if options["rows"] or options["dry_run"]:
            raise CommandError("--erase goes with neither --rows nor --dry-run")
        actor = options["actor"] or getpass.getuser()
        done = blanking.erase(found.e164, actor=actor, why=options["why"])
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"erased": done.messages, "open": done.open, "reports": done.reports}
                )
            )  # fmt: skip
        else:
            self.stdout.write(
                f"{done.messages} message(s) and {done.reports} report(s) no longer name"
                f" {numbers.mask(found.e164)}"
            )
        if done.open:
            raise CommandError(
                f"{done.open} message(s) are not over yet: cancel them or wait, then repeat"
            )
