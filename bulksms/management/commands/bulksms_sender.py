"""manage.py bulksms_sender"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms.exceptions import InvalidRequest
from bulksms.management.common import find_organisation
from bulksms.models import Organisation, SenderId
from bulksms.services import organisations


class Command(BaseCommand):
    help = (
        "Register a sender ID of an organisation, or change how it stands. Register what the"
        " networks have approved: they drop messages of others. Without a name, list them all."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument(
            "name", nargs="?", help="as registered: letters' case is shown as it is"
        )
        parser.add_argument(
            "--kind", choices=list(SenderId.KIND._db_values), help="(transactional)"
        )
        parser.add_argument("--network", default="", help="the one it is registered with (all)")
        parser.add_argument(
            "--status", choices=sorted(SenderId.STATUS._db_values), default="approved",
            help="only approved ones can be used (approved)",
        )  # fmt: skip
        parser.add_argument(
            "--default", action="store_true", help="the sender of requests that name none"
        )

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        if options["name"] is None:
            self._list(organisation)
            return
        try:
            sender = organisations.register_sender(
                organisation, options["name"], status=options["status"], kind=options["kind"],
                network=options["network"],
            )  # fmt: skip
        except InvalidRequest as error:
            raise CommandError(error.detail) from None
        if options["default"]:
            organisations.set_default_sender(sender)
        self._list(organisation)

    def _list(self, organisation: Organisation) -> None:
        found = organisations.senders(organisation)
        for sender in found:
            default = ", default" if sender.is_default else ""
            network = sender.network or "all networks"
            self.stdout.write(f"{sender.name}: {sender.kind}, {network}, {sender.status}{default}")
        if not found:
            self.stdout.write(f"{organisation.slug} has no sender ID")
