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
from functools import partial
from queue import SimpleQueue

from django.db import transaction

from bulksms import conf
from bulksms.outages import Outage

logger = logging.getLogger(__name__)

#: The broker's queue that all actors of ours are on.
QUEUE = "bulksms"

DISPATCH = "bulksms_dispatch"
APPLY_REPORTS = "bulksms_apply_reports"
QUERY = "bulksms_query"

Send = Callable[..., None]
Ping = Callable[[], None]

_send: Send | None = None
_ping: Ping | None = None
_failures: tuple[type[Exception], ...] = ()


def install(send: Send, failures: tuple[type[Exception], ...], ping: Ping | None = None) -> None:
    """Name the function that hands ``(name, *args)`` to the broker, and how it may fail.

    ``ping`` returns if the broker answers and fails in the same ways.
    """
    global _send, _failures, _ping
    _send, _failures, _ping = send, failures, ping


class _Sender:
    """One daemon thread that talks to the broker in order; its clock is real, as brokers are."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._jobs: SimpleQueue[tuple[Callable[[], None], Future[None]]] = SimpleQueue()
        self._paused_until = 0.0
        self._stuck = threading.Event()
        self._outage = Outage(logger, "broker", "the tick takes over meanwhile")
        threading.Thread(target=self._run, name="bulksms-wake", daemon=True).start()

    def ask(self, job: Callable[[], None]) -> bool:
        """Whether the broker took it within the time-out."""
        if self._stuck.is_set() or time.monotonic() < self._paused_until:
            return False
        done: Future[None] = Future()
        self._jobs.put((job, done))
        try:
            done.result(conf.settings.WAKE_TIMEOUT_S)
        except NotYet:
            self._stuck.set()
            if done.done():  # meanwhile; and nobody else would say so
                self._stuck.clear()
            self._outage.began("no answer")
            return False
        except _failures as error:
            self._outage.began(error)
            return False
        self._outage.ended()
        return True

    def _run(self) -> None:
        while True:
            job, done = self._jobs.get()
            try:
                job()
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
        _nudge(name, args)

    transaction.on_commit(nudge, robust=True)


def wake_later(seconds: float, name: str, *args: object) -> None:
    """Nudge ``name`` some time after the commit: a timer of this process, the tick if it dies."""

    def start() -> None:
        timer = threading.Timer(seconds, _nudge, (name, args))
        timer.daemon = True
        timer.start()

    transaction.on_commit(start, robust=True)


def _nudge(name: str, args: tuple[object, ...]) -> None:
    if _send is not None:
        _current().ask(partial(_send, name, *args))


def is_reachable() -> bool | None:
    """Whether the broker answers now, asked as a nudge is sent; None = it cannot be asked."""
    return None if _ping is None else _current().ask(_ping)
