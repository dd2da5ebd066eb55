"""manage.py bulksms_resolve"""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from bulksms.services import resolving


class Command(BaseCommand):
    help = (
        "Decide what became of unknown messages (a request went out and no answer came). accepted:"
        " paid for, a report is awaited. not-accepted: failed, the money comes back. delivered."
        " resend: asked for again; the recipient may get it twice. The decision is logged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("outcome", choices=list(resolving.OUTCOMES), help="what became of them")
        parser.add_argument(
            "--message", action="append", type=UUID, default=[], dest="messages", metavar="ID",
            help="this one; may be repeated",
        )  # fmt: skip
        parser.add_argument("--campaign", type=UUID, metavar="ID", help="those of this campaign")
        parser.add_argument("--carrier", default="", help="those of this carrier")
        parser.add_argument("--why", required=True, help="for the log")
        parser.add_argument("--actor", default=getpass.getuser(), help="who decides (you)")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, **options: Any) -> None:
        if not (options["messages"] or options["campaign"] or options["carrier"]):
            raise CommandError("say which: --message, --campaign or --carrier")
        rows = resolving.unknown_messages(
            message_ids=options["messages"],
            campaign_id=options["campaign"],
            carrier=options["carrier"],
        )
        if options["dry_run"]:
            self.stdout.write(f"{rows.count()} unknown message(s) would be {options['outcome']}")
            return
        moved = resolving.decide(
            rows, options["outcome"], actor=options["actor"], why=options["why"]
        )
        self.stdout.write(f"{moved} message(s) resolved as {options['outcome']}")
