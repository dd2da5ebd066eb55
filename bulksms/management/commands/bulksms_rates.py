"""manage.py bulksms_rates"""

from __future__ import annotations

import datetime as dt
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import clock, money
from bulksms.management.common import find_organisation
from bulksms.models import Rate
from bulksms.services import rates
from bulksms.services.rates import Imported, InvalidRates, NewRate

PREVIEW = 20


class Command(BaseCommand):
    help = (
        "Prices per SMS part: list them, set one, or exchange all as CSV. A rate is never changed:"
        " a new one takes over at its own moment, the old one stays as history. An import is all or"
        " nothing and shows every fault with its line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("list", help="a card's rates, newest first")
        show.add_argument("--organisation", default="", help="slug (the default card)")
        one = actions.add_parser("set", help="add one rate")
        one.add_argument("price", help="per SMS part, e.g. 0.80")
        one.add_argument("--currency", required=True, help="e.g. KES")
        one.add_argument("--prefix", default="", help="digits that numbers start with (all)")
        one.add_argument("--organisation", default="", help="slug (the default card)")
        one.add_argument("--from", dest="start", help="when, e.g. 2026-01-31T00:00+03:00 (now)")
        load = actions.add_parser("import", help=f"columns: {','.join(rates.COLUMNS)}")
        load.add_argument("file", help="a CSV file in UTF-8; - = standard input")
        load.add_argument("--dry-run", action="store_true", help="only say what would be added")
        actions.add_parser("export", help="all cards with their history, as CSV")

    def handle(self, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except InvalidRates as error:
            for fault in error.errors:
                self.stderr.write(f"line {fault.line}, {fault.column}: {fault.detail}")
            raise CommandError(f"{len(error.errors)} fault(s); nothing was added") from error
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error

    def _list(self, options: Any) -> None:
        slug = options["organisation"]
        for rate in rates.history(find_organisation(slug) if slug else None).iterator():
            self.stdout.write(_line(rate))

    def _set(self, options: Any) -> None:
        start = dt.datetime.fromisoformat(options["start"]) if options["start"] else clock.now()
        if start.tzinfo is None:
            raise CommandError("--from needs a zone, like 2026-01-31T00:00+03:00")
        new = NewRate(
            options["organisation"], options["prefix"], options["currency"],
            money.parse(options["price"]), start,
        )  # fmt: skip
        self._tell(rates.add(new), "added")

    def _import(self, options: Any) -> None:
        dry_run = options["dry_run"]
        if options["file"] == "-":
            found = rates.import_csv(sys.stdin, dry_run=dry_run)
        else:
            with Path(options["file"]).open(encoding="utf-8", newline="") as file:
                found = rates.import_csv(file, dry_run=dry_run)
        self._tell(found, "would be added" if dry_run else "added")

    def _export(self, _options: Any) -> None:
        rates.export_csv(self.stdout)

    def _tell(self, found: Imported, what: str) -> None:
        for new in found.added[:PREVIEW]:
            price, start = money.sentence(new.price_micros, new.currency), new.effective_from
            card = new.organisation or "default"
            self.stdout.write(f"{card} +{new.prefix}: {price} from {start.isoformat()}")
        if len(found.added) > PREVIEW:
            self.stdout.write(f"... and {len(found.added) - PREVIEW} more")
        self.stdout.write(f"{len(found.added)} {what}, {found.unchanged} there already")


def _line(rate: Rate) -> str:
    price = money.sentence(rate.price_micros, rate.currency)
    return f"+{rate.prefix}: {price} from {rate.effective_from.isoformat()}"
