"""The actors: three lines around a service each. A message is a nudge; every actor may run twice."""

from __future__ import annotations

import dramatiq
from dramatiq.errors import DramatiqError

from bulksms import conf, queues
from bulksms.services import dispatch, reports

QUEUE = "bulksms"
_OPTIONS = {
    "queue_name": QUEUE,
    "max_retries": 0,
    "time_limit": int(conf.settings.TIME_LIMIT_S * 1000),
}


@dramatiq.actor(actor_name=queues.DISPATCH, **_OPTIONS)
def run_dispatch(carrier: str) -> None:
    """The carrier has work."""
    dispatch.run_once(carrier)


@dramatiq.actor(actor_name=queues.APPLY_REPORTS, **_OPTIONS)
def apply_reports() -> None:
    """Reports are stored."""
    reports.apply_once()


def _send(name: object, *args: object) -> None:
    dramatiq.get_broker().get_actor(str(name)).send(*args)


queues.install(_send, (DramatiqError, OSError))
