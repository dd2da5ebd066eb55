"""manage.py bulksms_tick"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bulksms.services import reconcile


class Command(BaseCommand):
    help = (
        "Run the tick once: due work, abandoned submissions, deadlines, parked reports. Workers"
        " tick by themselves; this is for cron on a host without one, and for a look."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, **options: Any) -> None:
        done = reconcile.tick_once()
        if options["json"]:
            self.stdout.write(json.dumps(done))
            return
        for name, count in sorted(done.items()):
            self.stdout.write(f"{name}: {count}")
