"""Forks the workers that are struck: processes of their own on the test's database.

``python -m tests.crash.worker`` sets Django up once and then forks a worker for every order (a
line of JSON) on its standard input; setting up takes seconds, a fork milliseconds. It prints what
becomes of each: ``<pid> started | stopped | ended <signal or exit code>``. The environment variable
``BULKSMS_TEST_DATABASE_URL`` names the database. What a worker then does is in ``deeds.py``, or in
the module that its order names as ``deeds``.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from io import FileIO
from typing import Any

import django

#: Imported once Django is set up: it imports models.
DEEDS = "tests.crash.deeds"
_SET_PARENT_DEATH_SIGNAL = 1


def die_with_parent() -> None:
    """Linux ends us when whoever started us ends, however that happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def say(*words: object) -> None:
    print(*words, flush=True)


def fork(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        import_module(order.get("deeds", DEEDS)).work(order)
        code = 0
    except BaseException:  # noqa: BLE001 - the end of this process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def tell_changes() -> None:
    """Print which workers stopped or ended since we looked last."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if not pid:
            return
        if os.WIFSTOPPED(status):
            say(pid, "stopped")
        else:
            say(pid, "ended", os.waitstatus_to_exitcode(status))


def run(orders: FileIO) -> None:
    """Fork for every line of ``orders``, tell of every change, until there are no more orders."""
    signals, wake = socket.socketpair()
    signals.setblocking(False)
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        selector.register(signals, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if signals in ready:
                signals.recv(4096)
            tell_changes()
            if orders in ready:
                line = orders.readline()
                if not line:
                    return
                say(fork(json.loads(line)), "started")


if __name__ == "__main__":
    die_with_parent()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    import_module(DEEDS)
    say("ready")
    run(FileIO(0))
