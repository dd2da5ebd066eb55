"""manage.py bulksms_stop"""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bulksms.management.common import find_organisation
from bulksms.services import stops


class Command(BaseCommand):
    help = (
        "Stop sending: everything, one carrier or one organisation. Queued messages wait (and"
        " expire in time); while everything or an organisation is stopped, new ones are refused."
        " --resume lets it go on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--everything", action="store_true", help="all carriers")
        what.add_argument("--carrier", help="its name")
        what.add_argument("--organisation", help="its slug")
        parser.add_argument("--resume", action="store_true", help="let it go on")
        parser.add_argument("--why", default="", help="for the log and the status")
        parser.add_argument("--actor", default=getpass.getuser(), help="who decides (you)")

    def handle(self, **options: Any) -> None:
        why, actor, resume = options["why"], options["actor"], options["resume"]
        if options["organisation"]:
            organisation = find_organisation(options["organisation"])
            stops.set_active(organisation, active=resume, actor=actor, why=why)
        else:
            carrier = options["carrier"] or stops.EVERYTHING
            if resume:
                stops.resume(carrier, actor=actor, why=why)
            else:
                stops.stop(carrier, actor=actor, why=why)
        self.stdout.write("resumed" if resume else "stopped")
