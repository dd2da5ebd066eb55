"""manage.py bulksms_tick"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from bulksms.services import reconcile


class Command(BaseCommand):
    help = (
        "Run the tick once: due work, abandoned submissions, deadlines, parked reports. Workers"
        " tick by themselves; this is for cron on a host without one, and for a look."
    )

    def handle(self, **options: Any) -> None:
        for name, count in sorted(reconcile.tick_once().items()):
            self.stdout.write(f"{name}: {count}")
