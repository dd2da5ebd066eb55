"""manage.py demo_worker"""

from __future__ import annotations

import os
import time
from typing import Any

from django.core.management.base import BaseCommand

from bulksms import clock, conf
from bulksms.services import dispatch, reconcile, reports, resolving, routing

IDLE_S = 0.05


class Command(BaseCommand):
    help = (
        "One worker of `bulksms_demo --chaos`: the steps that a worker's actors take, in a loop,"
        " with no broker. In your project: manage.py rundramatiq."
    )

    def handle(self, **options: Any) -> None:
        parent, owner, next_tick = os.getppid(), f"worker {os.getpid()}", 0.0
        self.stdout.write("ready")
        while os.getppid() == parent:  # whoever started it is still there
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + conf.settings.TICK_S
                if reconcile.take_lease(owner):
                    reconcile.tick_once()
            if not take_steps():
                time.sleep(IDLE_S)


def take_steps() -> int:
    """A request to each carrier, the queries that are due, a batch of reports."""
    asked = sum(dispatch.run_once(name) for name in routing.names())
    found = sum(resolving.query_once(id_) for id_ in resolving.due(clock.now()))
    return asked + found + reports.apply_once()
