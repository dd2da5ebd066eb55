"""manage.py bulksms_suppress"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import conf
from bulksms.management.common import find_organisation
from bulksms.models import Organisation
from bulksms.services import suppression
from bulksms.sms import numbers


class Command(BaseCommand):
    help = (
        "Put numbers on the suppression list, or take them off. They come as arguments or, one a"
        " line, on standard input, in any form that sending takes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("numbers", nargs="*", help="with or without +")
        parser.add_argument("--organisation", help="its slug (default: for all organisations)")
        parser.add_argument("--reason", default="", help="kept with the number")
        parser.add_argument("--remove", action="store_true", help="take them off the list")

    def handle(self, **options: Any) -> None:
        organisation = self._organisation(options["organisation"])
        region = organisation.default_region if organisation else str(conf.house()["region"])
        written = options["numbers"] or [line.strip() for line in sys.stdin if line.strip()]
        digits = self._normalised(written, region)
        if options["remove"]:
            count = suppression.lift(digits, organisation=organisation)
            self.stdout.write(f"{count} number(s) taken off the list")
            return
        count = suppression.suppress(digits, reason=options["reason"], organisation=organisation)
        self.stdout.write(f"{count} number(s) added, {len(digits) - count} were on the list")

    def _organisation(self, slug: str | None) -> Organisation | None:
        return None if slug is None else find_organisation(slug)

    def _normalised(self, written: list[str], region: str) -> list[str]:
        """All of them, or an error that names every line that is wrong."""
        found = numbers.normalise_many(written, region)
        wrong = [
            f"line {line}: {each.detail}"
            for line, each in enumerate(found, 1)
            if isinstance(each, numbers.Refusal)
        ]
        if wrong:
            raise CommandError("nothing was changed:\n" + "\n".join(wrong))
        return sorted({each.e164 for each in found if isinstance(each, numbers.Number)})
