"""manage.py bulksms_statement"""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bulksms import money, spreadsheet
from bulksms.management.common import find_organisation
from bulksms.services import wallet

COLUMNS = ("number", "at", "kind", "amount", "balance", "campaign", "key", "note")


class Command(BaseCommand):
    help = (
        "Print every movement of an organisation's balance as CSV, oldest first. The lines of a"
        " campaign add up to what it cost; each balance follows from the one before. Safe to open"
        " in a spreadsheet: a text that looks like a formula has an apostrophe before it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in wallet.lines(organisation):
            writer.writerow(_cells(line))


def _cells(line: wallet.Line) -> tuple[object, ...]:
    return (
        line.seq, line.at.isoformat(), line.kind, money.amount(line.amount_micros),
        money.amount(line.balance_micros), line.campaign_id or "", spreadsheet.neutral(line.key),
        spreadsheet.neutral(line.note),
    )  # fmt: skip
