"""manage.py bulksms_simulator"""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms.management import simulated


class Command(BaseCommand):
    help = (
        "Run the fake carrier beside your own server, on the port and with the key of the simulated"
        " carrier in BULKSMS['CARRIERS'], until Ctrl-C. Its reports go to --site."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--site", default="http://127.0.0.1:8000", help="where your project answers"
        )
        parser.add_argument("--seed", default="1", help="its randomness (1)")
        parser.add_argument("--rules", help="its rules file (TOML or JSON)")

    def handle(self, **options: Any) -> None:
        command = simulated.command_line(
            options["site"], seed=options["seed"], rules=options["rules"]
        )
        child = subprocess.Popen(command)
        try:
            status = child.wait()
        except KeyboardInterrupt:
            status = child.wait(10)
        if status not in (0, -2, 130):
            raise CommandError(f"the simulator ended with status {status}")
