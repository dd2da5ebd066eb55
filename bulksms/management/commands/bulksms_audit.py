"""manage.py bulksms_audit"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from bulksms.services import audit


class Command(BaseCommand):
    help = (
        "Check that every cent and every row adds up: wallets, ledger chains, holds, counters."
        " Prints a line per fault and exits 1 if there is one; changes nothing."
    )

    def handle(self, **options: Any) -> None:
        faults = 0
        for fault in audit.faults():
            faults += 1
            self.stdout.write(f"{fault.check}: {fault.detail}")
        if faults:
            self.stderr.write(f"{faults} fault(s) found")
            sys.exit(1)
        self.stdout.write(f"ledger balanced ({len(audit.CHECKS)} checks, no fault)")
