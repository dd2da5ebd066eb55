"""manage.py bulksms_quote"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import money
from bulksms.exceptions import BulkSmsError
from bulksms.management.common import find_organisation
from bulksms.models import Organisation
from bulksms.services import organisations, quoting
from bulksms.services.validation import BulkRequest


class Command(BaseCommand):
    help = (
        "Say what a text to these numbers would cost and whom it would reach. Numbers come as"
        " arguments or, one a line, on standard input. Nothing is sent or stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("message", help="the text")
        parser.add_argument("numbers", nargs="*", help="recipients; none = read standard input")
        parser.add_argument("--organisation", help="its slug (default: the house organisation)")
        parser.add_argument("--sender", help="sender ID (default: the organisation's)")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        owner = self._organisation(options["organisation"])
        numbers = options["numbers"] or [line.strip() for line in sys.stdin if line.strip()]
        request = BulkRequest(
            recipients=numbers, message=options["message"], sender_id=options["sender"]
        )
        try:
            quote = quoting.quote(owner, request)
        except BulkSmsError as error:
            raise CommandError(error.detail) from error
        if options["json"]:
            self.stdout.write(_as_json(quote))
        else:
            self._show(quote)

    def _organisation(self, slug: str | None) -> Organisation:
        if slug is None:
            return organisations.house()
        return find_organisation(slug)

    def _show(self, quote: quoting.Quote) -> None:
        total = money.sentence(quote.total_micros, quote.currency)
        self.stdout.write(
            f"{quote.sendable} of {len(quote.rows)} can be sent ({quote.duplicates} duplicates left"
            f" out), for {total}; the wallet pays for {quote.affordable}."
        )
        refused = Counter(row.draft.error for row in quote.rows if row.draft.error)
        for error, count in refused.most_common():
            self.stdout.write(f"  {error}: {count}")
        for one in quote.forcing:
            shown = f"{one.character!r} ({one.code_point})"
            self.stdout.write(f"  {shown} makes {one.recipients} text(s) Unicode")
        if quote.saving_micros:
            saved = money.sentence(quote.saving_micros, quote.currency)
            self.stdout.write(f"  replacing look-alike characters would save {saved}")


def _as_json(quote: quoting.Quote) -> str:
    """``{"currency", "total", "sendable", "affordable", "duplicates", "refused", ...}``"""
    available = quote.available_micros
    return json.dumps(
        {
            "currency": quote.currency,
            "total": money.amount(quote.total_micros),
            "available": None if available is None else money.amount(available),
            "rows": len(quote.rows),
            "sendable": quote.sendable,
            "affordable": quote.affordable,
            "duplicates": quote.duplicates,
            "parts": sum(row.units for row in quote.rows if not row.draft.error),
            "refused": Counter(row.draft.error for row in quote.rows if row.draft.error),
            "saving": money.amount(quote.saving_micros),
        }
    )
