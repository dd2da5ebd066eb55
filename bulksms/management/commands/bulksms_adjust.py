"""manage.py bulksms_adjust"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import money
from bulksms.exceptions import BulkSmsError
from bulksms.management.common import balance, figures, find_organisation, rehearsal
from bulksms.models import Organisation
from bulksms.services import wallet

NONE = "none"


class Command(BaseCommand):
    help = (
        "Correct an organisation's balance (--amount, up or down, with --key and --note), or set"
        " its credit limit, its daily spend cap or the balance below which a warning is sent."
        " Amounts are in the wallet's currency; 'none' removes a limit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--amount", help="e.g. 12.50, or -12.50 to take it away")
        what.add_argument("--credit-limit", help="how far below zero it may go")
        what.add_argument("--daily-cap", help="the most that it may spend on one of its days")
        what.add_argument("--low-balance", help="warn when the balance falls below this")
        parser.add_argument("--key", help="names the correction: repeating it changes nothing")
        parser.add_argument("--note", default="", help="why; for the statement")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        dry_run = options["dry_run"]
        try:
            with rehearsal(dry_run=dry_run):
                self._change(organisation, options)
                found, said = figures(organisation), balance(organisation)
        except (ValueError, BulkSmsError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({**found, "dry_run": dry_run}))
        else:
            self.stdout.write(f"would be done: {said}" if dry_run else said)

    def _change(self, organisation: Organisation, options: Any) -> None:
        if options["amount"] is not None:
            if not options["key"] or not options["note"]:
                raise CommandError("a correction needs a --key and a --note")
            amount = money.parse(options["amount"])
            wallet.adjust(organisation, amount, key=options["key"], note=options["note"])
        elif options["credit_limit"] is not None:
            wallet.set_credit_limit(organisation, _limit(options["credit_limit"]))
        elif options["daily_cap"] is not None:
            wallet.set_spend_cap(organisation, _limit(options["daily_cap"]))
        else:
            wallet.set_low_balance(organisation, _limit(options["low_balance"]))


def _limit(text: str) -> int | None:
    return None if text == NONE else money.parse(text)
