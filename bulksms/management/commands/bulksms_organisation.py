"""manage.py bulksms_organisation"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms.exceptions import InvalidRequest
from bulksms.management.common import find_organisation
from bulksms.models import Organisation
from bulksms.services import organisations, wallet


class Command(BaseCommand):
    help = (
        "Make an organisation: a tenant with an empty wallet of its own. Without arguments, list"
        " all of them. With --test, make the test twin of one: keys of the twin send to"
        " BULKSMS['TEST_CARRIER'] only. Then: bulksms_sender, bulksms_rates, bulksms_topup,"
        " bulksms_key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?", help="its short name in commands, e.g. my-shop")
        parser.add_argument("--name", help="its name for people (default: the slug)")
        parser.add_argument("--currency", default="KES", help="of its wallet, for ever (KES)")
        parser.add_argument("--region", default="KE", help="whose local numbers it writes (KE)")
        parser.add_argument("--time-zone", default="Africa/Nairobi", help="(Africa/Nairobi)")
        parser.add_argument(
            "--allow", action="append", default=[], metavar="REGION",
            help="a region it may send to; may be repeated (default: its own only)",
        )  # fmt: skip
        parser.add_argument("--test", action="store_true", help="make the twin of one that exists")

    def handle(self, **options: Any) -> None:
        if options["slug"] is None:
            self._list()
        elif options["test"]:
            live = find_organisation(options["slug"])
            self._tell(organisations.test_twin(live), "test organisation")
        else:
            self._tell(self._create(options), "organisation")

    def _create(self, options: Any) -> Organisation:
        try:
            return organisations.create(
                name=options["name"] or options["slug"],
                slug=options["slug"],
                currency=options["currency"],
                region=options["region"],
                time_zone=options["time_zone"],
                allowed_regions=options["allow"],
            )
        except InvalidRequest as error:
            raise CommandError("\n".join(fault.detail for fault in error.errors)) from None

    def _tell(self, organisation: Organisation, what: str) -> None:
        currency = wallet.of(organisation).currency
        self.stdout.write(f"{what} {organisation.slug}: wallet in {currency}")

    def _list(self) -> None:
        for one in Organisation.objects.order_by("slug"):
            stopped = "" if one.is_active else ", stopped"
            regions = " ".join(sorted(one.regions))
            self.stdout.write(f"{one.slug}: {one.name}, {one.mode}, sends to {regions}{stopped}")
