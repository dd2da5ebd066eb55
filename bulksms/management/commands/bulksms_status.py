"""manage.py bulksms_status"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from bulksms.services import overview


class Command(BaseCommand):
    help = (
        "What is stuck and why, and what to do about it. Exits 1 if something needs a person, so"
        " that a monitor can run it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, **options: Any) -> None:
        found = list(overview.findings())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found]))
        else:
            for finding in found:
                self.stdout.write(f"{finding.level:<5} {finding.what}")
                if finding.advice:
                    self.stdout.write(f"      -> {finding.advice}")
        if any(finding.level == "act" for finding in found):
            sys.exit(1)
