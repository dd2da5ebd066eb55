"""Move queued messages from one carrier to another."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bulksms.exceptions import InvalidRequest
from bulksms.services import rerouting


class Command(BaseCommand):
    help = (
        "Give the messages that are still queued for one carrier to another one, e.g. when it"
        " is stopped or was taken out of the settings. What it was asked for already stays with it."
        " New messages follow BULKSMS['ROUTES']."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("old", help="the carrier that they wait for")
        parser.add_argument("new", help="the carrier that takes them over")
        parser.add_argument("--prefix", default="", help="only numbers that begin so, e.g. 25475")
        parser.add_argument("--why", default="", help="kept with the decision")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            moved = rerouting.reroute(
                options["old"], options["new"], actor=getpass.getuser(), why=options["why"],
                prefix=options["prefix"],
            )  # fmt: skip
        except InvalidRequest as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{moved} queued messages go by {options['new']} now.")
