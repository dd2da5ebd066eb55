"""The port to the broker: ``wake(name, *args)`` nudges a worker after the commit.

A nudge is only a nudge: the row is the truth and the tick repairs what a broker lost. So ``wake``
never fails and never holds up its caller: one sender thread per process does the talking, the
caller waits for it for at most ``WAKE_TIMEOUT_S``, and after a failure nothing is tried for
``WAKE_PAUSE_S``. ``tasks.py`` installs the function that knows dramatiq; this module does not.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from queue import SimpleQueue

from django.db import transaction

from bulksms import conf

logger = logging.getLogger(__name__)

DISPATCH = "bulksms_dispatch"
APPLY_REPORTS = "bulksms_apply_reports"
QUERY = "bulksms_query"

Send = Callable[..., None]

_send: Send | None = None
_failures: tuple[type[Exception], ...] = ()


def install(send: Send, failures: tuple[type[Exception], ...]) -> None:
    """Name the function that hands ``(name, *args)`` to the broker, and how it may fail."""
    global _send, _failures
    _send, _failures = send, failures


class _Sender:
    """One daemon thread that sends nudges in order; its own clock is real, as brokers are."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._jobs: SimpleQueue[tuple[tuple[object, ...], Future[None]]] = SimpleQueue()
        self._paused_until = 0.0
        self._stuck = threading.Event()
        threading.Thread(target=self._run, name="bulksms-wake", daemon=True).start()

    def nudge(self, name: str, args: tuple[object, ...]) -> bool:
        """Whether the broker took it within the time-out."""
        if self._stuck.is_set() or time.monotonic() < self._paused_until:
            return False
        done: Future[None] = Future()
        self._jobs.put(((name, *args), done))
        try:
            done.result(conf.settings.WAKE_TIMEOUT_S)
        except NotYet:
            self._stuck.set()
            logger.warning("bulksms: the broker does not answer; the tick takes over meanwhile")
            return False
        except _failures as error:
            logger.warning(
                "bulksms: the broker is not reachable (%s); the tick takes over, next try in %s s",
                type(error).__name__,
                conf.settings.WAKE_PAUSE_S,
            )
            return False
        return True

    def _run(self) -> None:
        while True:
            job, done = self._jobs.get()
            try:
                if _send is not None:
                    _send(*job)
            except Exception as error:  # noqa: BLE001 - whatever a client raises, this thread lives
                self._paused_until = time.monotonic() + conf.settings.WAKE_PAUSE_S
                done.set_exception(error)
            else:
                done.set_result(None)
            finally:
                self._stuck.clear()


_sender: _Sender | None = None
_lock = threading.Lock()


def _current() -> _Sender:
    """This process's sender (a forked child makes its own: threads do not survive a fork)."""
    global _sender
    with _lock:
        if _sender is None or _sender.pid != os.getpid():
            _sender = _Sender()
        return _sender


def forget() -> None:
    """Start anew with a fresh sender (tests that change the broker)."""
    global _sender
    with _lock:
        _sender = None


def wake(name: str, *args: object) -> None:
    """Nudge the actor ``name`` once the current transaction has committed (at once if none)."""

    def nudge() -> None:
        if _send is not None:
            _current().nudge(name, args)

    transaction.on_commit(nudge, robust=True)
