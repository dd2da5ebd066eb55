"""What runs beside the actors in every worker process: the tick, and a clean end.

``AppConfig.ready`` adds the middleware to the configured broker, so that a worker cannot be started
without it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from dramatiq import Middleware, get_broker

from bulksms import conf
from bulksms.services import reconcile, routing

logger = logging.getLogger(__name__)


class Ticker:
    """A daemon thread that ticks while it holds the lease. Any number of them may run."""

    def __init__(self) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{id(self):x}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bulksms-tick", daemon=True)
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(conf.settings.TICK_S):
            self._beat()
        connection.close()

    def _beat(self) -> None:
        """One tick; a database that is away is reported once, not every second."""
        close_old_connections()
        try:
            if reconcile.take_lease(self.owner):
                reconcile.tick_once()
        except DatabaseError as error:
            if not self._failing:
                logger.warning("bulksms: the tick waits for the database (%s)", error)
            self._failing = True
            connection.close()
        else:
            self._failing = False


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
