"""What runs beside the actors in every worker process: the tick, and a clean end.

``AppConfig.ready`` adds the middleware to the configured broker, so that a worker cannot be started
without it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import suppress
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from dramatiq import Middleware, get_broker

from bulksms import clock, conf, outages
from bulksms.models import Lease
from bulksms.services import reconcile, routing

logger = logging.getLogger(__name__)


class Ticker:
    """A daemon thread that ticks while it holds the lease. Any number of them may run."""

    def __init__(self) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{id(self):x}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bulksms-tick", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(conf.settings.TICK_S):
            self._beat()
        self._let_go()
        connection.close()

    def _let_go(self) -> None:
        """Give up the lease: a restart of all workers leaves no gap of TICK_LEASE_S."""
        mine = Lease.objects.filter(name=reconcile.TICK, owner=self.owner)
        with suppress(DatabaseError):
            mine.update(until_at=clock.now())

    def _beat(self) -> None:
        """One tick; a database that is away is reported once, not every second."""
        try:
            close_old_connections()
            if reconcile.take_lease(self.owner):
                reconcile.tick_once()
        except DatabaseError as error:
            if outages.is_lost(error):
                outages.database.began(error)
            else:
                logger.exception("bulksms: a tick failed", extra={"event": "tick.failed"})
            connection.close()
        except Exception:  # without this thread nothing that was lost is ever found
            logger.exception("bulksms: a tick failed", extra={"event": "tick.failed"})
        else:
            outages.database.ended()


class BulkSmsMiddleware(Middleware):
    """Starts the tick with the worker; stops it and closes the carriers' sockets at its end."""

    def __init__(self) -> None:
        self._ticker: Ticker | None = None

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        self._ticker = Ticker()
        self._ticker.start()

    def before_worker_shutdown(self, broker: Any, worker: Any) -> None:
        if self._ticker is not None:
            self._ticker.stop()

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        for name in routing.names():
            routing.carrier(name).close()


def install() -> None:
    """Add the middleware to the configured broker, once."""
    broker = get_broker()
    if not any(isinstance(known, BulkSmsMiddleware) for known in broker.middleware):
        broker.add_middleware(BulkSmsMiddleware())
