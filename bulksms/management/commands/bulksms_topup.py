"""manage.py bulksms_topup"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import money
from bulksms.exceptions import BulkSmsError
from bulksms.models import Organisation
from bulksms.services import wallet


class Command(BaseCommand):
    help = (
        "Credit an organisation's wallet, once per reference: repeating the command adds nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument("amount", help="in the wallet's currency, e.g. 1500.00")
        parser.add_argument(
            "--reference", required=True, help="the payment's own reference, e.g. an M-Pesa code"
        )
        parser.add_argument("--note", default="", help="for the statement")

    def handle(self, **options: Any) -> None:
        organisation = Organisation.objects.filter(slug=options["organisation"]).first()
        if organisation is None:
            known = ", ".join(Organisation.objects.values_list("slug", flat=True)[:20])
            raise CommandError(f"no organisation {options['organisation']!r}; there are: {known}")
        try:
            amount = money.parse(options["amount"])
            entry = wallet.top_up(
                organisation, amount, key=options["reference"], note=options["note"]
            )
        except (ValueError, BulkSmsError) as error:
            raise CommandError(str(error)) from error
        purse = wallet.of(organisation)
        balance = money.sentence(purse.available_micros, purse.currency)
        self.stdout.write(f"entry {entry.pk}: the balance of {organisation.slug} is {balance}")
