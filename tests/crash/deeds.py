"""What a worker does, and how it is struck.

It connects back to the test and obeys its lines: ``dispatch``, ``dispatch-all``, ``apply``,
``crowd <threads>``, ``arm``. Once armed, the step that its order names strikes it: it kills or
stops itself before the step, after it, or inside it with its transaction still uncommitted. The
steps of the product are wrapped from here; the product knows nothing of this.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from django.conf import settings
from django.db import connection

from bulksms.models import Run
from bulksms.services import dispatch, reports
from tests.crash.clock import shared

#: No worker lives longer, whatever happens to the test.
LIFETIME_S = 120
#: As a host is told to run its workers: a frozen process must not keep its locks for ever.
PATIENCE = "idle_in_transaction_session_timeout=1500"
CARRIER = "main"
#: What a line takes at a time, in bytes, where a request shall be too long for it.
SEND_BUFFER = 4_096

#: point -> (module, its step, where to strike). The byte points are the proxy's.
STEPS: Mapping[str, tuple[Any, str, str]] = {
    "inside tx1": (dispatch, "claim", "inside"),
    "after tx1": (dispatch, "claim", "after"),
    "before tx2": (dispatch, "begin", "before"),
    "after tx2": (dispatch, "begin", "after"),
    "before tx3": (dispatch, "record", "before"),
    "inside tx3": (dispatch, "record", "inside"),
    "after tx3": (dispatch, "record", "after"),
    "before apply": (reports, "apply_once", "before"),
    "inside apply": (reports, "apply_once", "inside"),
    "after apply": (reports, "apply_once", "after"),
}
#: The connection stands, no byte is written and the deadline is not checked yet; and: a part of the
#: request is on its way.
CONNECTION_POINTS = ("connected", "mid request")


class Blow:
    """Strikes this process with ``signal_name``, once, and only when armed."""

    def __init__(self, point: str, signal_name: str) -> None:
        self._signal = signal.Signals[signal_name]
        self._armed = False
        if point in CONNECTION_POINTS:
            self._wrap_connect(point)
        elif point in STEPS:
            self._wrap(*STEPS[point])

    def arm(self) -> None:
        self._armed = True

    def strike(self) -> None:
        if self._armed:
            self._armed = False
            # At this thread, so that it takes no further step of its own.
            signal.pthread_kill(threading.get_ident(), self._signal)

    def _wrap(self, module: Any, name: str, where: str) -> None:
        step = getattr(module, name)

        def struck(*args: Any) -> Any:
            if where == "before":
                self.strike()
            elif where == "inside":
                self._strike_at_commit()
            result = step(*args)
            if where == "after":
                self.strike()
            return result

        setattr(module, name, struck)

    def _strike_at_commit(self) -> None:
        """Everything is written and nothing is committed."""
        commit = connection.commit

        def struck() -> None:
            connection.commit = commit
            self.strike()
            commit()

        if self._armed:
            connection.commit = struck

    def _wrap_connect(self, point: str) -> None:
        connect = aiohttp.TCPConnector.connect

        async def struck(connector: Any, *args: Any, **kwargs: Any) -> Any:
            made = await connect(connector, *args, **kwargs)
            if point == "connected":
                self.strike()
            else:
                self._wrap_write(made.transport)
            return made

        aiohttp.TCPConnector.connect = struck  # type: ignore[method-assign]

    def _wrap_write(self, transport: Any) -> None:
        """Strike in the middle of a long request, on a line that takes only a part of it."""
        write, written = transport.write, 0
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

        def struck(data: Any) -> None:
            nonlocal written
            write(data)
            written += len(data) if self._armed else 0
            if written >= SEND_BUFFER:
                self.strike()

        transport.write = struck


# What a worker does


def dispatch_all() -> int:
    asked = 0
    while claimed := dispatch.run_once(CARRIER):
        asked += claimed
    return asked


def crowd(threads: int) -> str:
    """So many workers at once, one of them also with the reports, until no message is queued.

    Returns what they raised, if anything.
    """
    failures: list[str] = []

    def work(applies: bool) -> None:
        try:
            while Run.objects.filter(queued_count__gt=0).exists():
                dispatch.run_once(CARRIER)
                if applies:
                    reports.apply_once()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            failures.append(f"{type(error).__name__}: {error}".replace("\n", " "))
        finally:
            connection.close()

    crew = [threading.Thread(target=work, args=(not i,)) for i in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return "; ".join(failures) or "fine"


def obey(line: str, blow: Blow) -> object:
    command, _, argument = line.partition(" ")
    match command:
        case "arm":
            return blow.arm()
        case "dispatch":
            return dispatch.run_once(CARRIER)
        case "dispatch-all":
            return dispatch_all()
        case "apply":
            return reports.apply_once()
        case "crowd":
            return crowd(int(argument))
    raise ValueError(line)


def work(order: Mapping[str, Any]) -> None:
    """One worker's life: obey until the test hangs up."""
    signal.alarm(LIFETIME_S)
    settings.BULKSMS = order["bulksms"]
    shared.path = Path(order["clock"]) if order["clock"] else None
    blow = Blow(order["point"], order["signal"])
    connection.settings_dict["OPTIONS"] |= {"options": f"-c {PATIENCE}"}
    with socket.create_connection(("127.0.0.1", order["port"])) as line_to_test:
        wire = line_to_test.makefile("rw")
        wire.write(f"{os.getpid()}\n")
        wire.flush()
        for line in wire:
            try:
                result = obey(line.strip(), blow)
            except Exception as error:  # noqa: BLE001 - a dramatiq worker would log it and live on
                result = f"{type(error).__name__}: {error}".replace("\n", " ")
                connection.close()
            wire.write(f"{result}\n")
            wire.flush()
