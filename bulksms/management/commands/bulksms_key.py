"""manage.py bulksms_key"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bulksms.management.common import find_organisation
from bulksms.services import keys


class Command(BaseCommand):
    help = "Make an API key for an organisation and print it. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument(
            "--scope", action="append", choices=keys.SCOPES, dest="scopes",
            help=f"may be repeated; default: {' '.join(keys.DEFAULT_SCOPES)}",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        scopes = options["scopes"] or keys.DEFAULT_SCOPES
        _, text = keys.create(organisation, name=options["name"], scopes=scopes)
        self.stdout.write(text)
