"""manage.py bulksms_topup"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import money
from bulksms.exceptions import BulkSmsError
from bulksms.management.common import balance, figures, find_organisation, rehearsal
from bulksms.models import LedgerEntry, Organisation
from bulksms.services import wallet


class Command(BaseCommand):
    help = (
        "Credit an organisation's wallet, once per payment: repeating the command adds nothing, and"
        " the same payment with another amount or for another organisation is an error. With"
        " --reverse the payment is taken back; what is not there any more is owed, and nothing is"
        " sent until it is paid."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument(
            "amount", nargs="?", help="in the wallet's currency, e.g. 1500.00; not with --reverse"
        )
        parser.add_argument(
            "--provider", default="manual", help="who took the payment, e.g. mpesa (manual)"
        )
        parser.add_argument(
            "--reference", required=True, help="the payment's own reference, e.g. an M-Pesa code"
        )
        parser.add_argument("--reverse", action="store_true", help="the payment bounced")
        parser.add_argument("--note", default="", help="for the statement")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        try:
            with rehearsal(dry_run=options["dry_run"]):
                self._tell(self._move(organisation, options), organisation, options)
        except (ValueError, BulkSmsError) as error:
            raise CommandError(str(error)) from error

    def _tell(self, entry: LedgerEntry, organisation: Organisation, options: Any) -> None:
        if options["json"]:
            document = {
                "entry": None if options["dry_run"] else entry.pk, "kind": entry.kind,
                **figures(organisation), "dry_run": options["dry_run"],
            }  # fmt: skip
            self.stdout.write(json.dumps(document))
        elif options["dry_run"]:
            self.stdout.write(f"would be done ({entry.kind}): {balance(organisation)}")
        else:
            self.stdout.write(f"entry {entry.pk} ({entry.kind}): {balance(organisation)}")

    def _move(self, organisation: Organisation, options: Any) -> LedgerEntry:
        key = wallet.payment_key(options["provider"], options["reference"])
        if options["reverse"] and options["amount"] is None:
            return wallet.reverse_top_up(organisation, key, key=key, note=options["note"])
        if options["reverse"] or options["amount"] is None:
            raise CommandError("give an amount, or --reverse without one")
        amount = money.parse(options["amount"])
        return wallet.top_up(organisation, amount, key=key, note=options["note"])
