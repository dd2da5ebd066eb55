"""For a host project's tests: run the outbox inside a TestCase, with a clock that you move.

::

    from bulksms.testing import drain, outbox

    send_sms("0712345678", "Hi")
    drain()
    assert outbox[-1].to == "254712345678"

with ``BULKSMS["CARRIERS"] = {"main": {"BACKEND": "bulksms.carriers.locmem.LocmemCarrier"}}``.
"""

from __future__ import annotations

import datetime as dt
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from bulksms import clock
from bulksms.carriers.base import Carrier
from bulksms.carriers.locmem import outbox
from bulksms.services import dispatch, reconcile, reports, resolving, routing

__all__ = [
    "SharedClock", "VirtualClock", "drain", "outbox", "peer_view", "tick", "use_carrier",
    "virtual_clock",
]  # fmt: skip

#: ``drain`` gives up after this many steps: something wakes itself for ever.
MAX_STEPS = 100_000


class VirtualClock:
    """A clock that stands still until :meth:`advance`. Starts at a fixed moment."""

    is_virtual = True
    START = dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)

    def __init__(self) -> None:
        self._now = self.START

    def now(self) -> dt.datetime:
        return self._now

    def advance(self, **span: float) -> None:
        """Let time pass: ``advance(hours=2)``."""
        self._now += dt.timedelta(**span)

    def reset(self) -> None:
        self._now = self.START


class SharedClock:
    """Reads the time that the simulator writes (``--clock file:PATH``): one for all processes.

    UTC microseconds, eight bytes, little-endian. Put an instance into a module of your own and its
    dotted path into ``BULKSMS["CLOCK"]``; a system check refuses it with DEBUG off.
    """

    is_virtual = True
    _EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._map: mmap.mmap | None = None

    def now(self) -> dt.datetime:
        if self._map is None:
            with self._path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
        (micros,) = struct.unpack("<q", self._map[:8])
        return self._EPOCH + dt.timedelta(microseconds=micros)


@csrf_exempt
def peer_view(request: HttpRequest) -> JsonResponse:
    """Our side of the simulator's clock: do what is due now, say when something is due next.

    Mount it in a test project and register its address with ``PUT /_sim/clock/peers``.
    """
    drain()
    tick()
    drain()
    due = reconcile.next_due_at(clock.now())
    return JsonResponse({"next_due_at": due.isoformat() if due else None})


#: For ``BULKSMS["CLOCK"] = "bulksms.testing.virtual_clock"``.
virtual_clock = VirtualClock()


def drain() -> int:
    """Dispatch and apply reports until nothing is left to do now; returns how many steps that took.

    Needs no broker and no worker: it calls the same step functions as the actors do.
    """
    for step in range(MAX_STEPS):
        busy = sum(dispatch.run_once(name) for name in routing.names())
        busy += sum(resolving.query_once(id_) for id_ in resolving.due(clock.now()))
        if not busy + reports.apply_once():
            return step
    raise RuntimeError(f"still busy after {MAX_STEPS} steps")


def tick() -> None:
    """What the tick does once a second: deadlines, lost work, parked reports."""
    reconcile.tick_once()


@contextmanager
def use_carrier(carrier: Carrier) -> Iterator[Carrier]:
    """Let ``carrier`` stand in for the configured one of its name in this process."""
    with routing.replaced(carrier):
        yield carrier
