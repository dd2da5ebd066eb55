"""For a host project's tests: run the outbox inside a TestCase, with a clock that you move.

::

    from bulksms.testing import assert_sent, capture_sms

    with capture_sms():
        place_order(customer)
        assert_sent(to="0712345678", containing="order", units=1, max_cost="1.00")

With pytest the fixture ``sms_outbox`` of ``bulksms.pytest_plugin`` does the first part.
"""

from __future__ import annotations

import datetime as dt
import mmap
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from bulksms import clock, conf, money
from bulksms.carriers.base import Carrier, OutboundSms
from bulksms.carriers.locmem import LocmemCarrier, outbox
from bulksms.models import Message, Organisation, Rate
from bulksms.services import dispatch, organisations, reconcile, reports, resolving, routing, wallet
from bulksms.sms import numbers

__all__ = [
    "SharedClock", "VirtualClock", "assert_not_sent", "assert_sent", "capture_sms", "drain",
    "outbox", "peer_view", "tick", "use_carrier", "virtual_clock",
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


# What was sent


@contextmanager
def capture_sms(price: Decimal | str = "1.00") -> Iterator[list[OutboundSms]]:
    """No message leaves this process while the block runs: each lands in :data:`outbox`.

    The outbox starts empty. Every configured carrier is replaced, and the house organisation can
    send: it gets a sender, and ``price`` per part for all numbers where it has none. Needs the
    database.
    """
    _let_send(organisations.house(), money.parse(price))
    outbox.clear()
    with ExitStack() as stack:
        for name in routing.names():
            stack.enter_context(routing.replaced(LocmemCarrier(name, {})))
        yield outbox


def _let_send(house: Organisation, price_micros: int) -> None:
    currency = wallet.of(house).currency
    if not organisations.senders(house):
        organisations.register_sender(house, "TEST", is_default=True)
    if not Rate.objects.filter(currency=currency).exists():
        organisations.set_rate(
            price_micros, currency=currency, at=clock.now() - dt.timedelta(days=1)
        )


def assert_sent(
    *,
    to: str | None = None,
    containing: str = "",
    units: int | None = None,
    max_cost: Decimal | str | None = None,
    count: int | None = None,
) -> OutboundSms:
    """A message was sent that is like this; returns the last such one.

    Does what is still to do first (:func:`drain`). ``to`` is a number as people write it;
    ``containing`` a part of the text; ``units`` how many SMS parts it took; ``max_cost`` what it
    may have cost at the most, in the wallet's currency; ``count`` how many such messages there are.
    Raises AssertionError that says what was sent instead.
    """
    drain()
    found = [sms for sms in outbox if _is_like(sms, to, containing)]
    if not found or (count is not None and len(found) != count):
        wanted = f"to {to!r}" if to else "to anybody"
        text = f" containing {containing!r}" if containing else ""
        raise AssertionError(f"{len(found)} sent {wanted}{text}. {_all_sent()}")
    last = found[-1]
    if units is not None and last.parts != units:
        raise AssertionError(f"it took {last.parts} part(s), not {units}: {last.text!r}")
    if max_cost is not None:
        _assert_cost(last, money.parse(max_cost))
    return last


def assert_not_sent(*, to: str | None = None, containing: str = "") -> None:
    """No message was sent that is like this. Raises AssertionError."""
    drain()
    found = [sms for sms in outbox if _is_like(sms, to, containing)]
    if found:
        raise AssertionError(f"{len(found)} sent. {_all_sent()}")


def _is_like(sms: OutboundSms, to: str | None, containing: str) -> bool:
    return (to is None or sms.to == _digits(to)) and containing in sms.text


def _digits(written: str) -> str:
    """E.164 digits, read as the house organisation reads them."""
    found = numbers.normalise(written, str(conf.house()["region"]))
    if isinstance(found, numbers.Refusal):
        raise AssertionError(f"{written!r} is no number that could be texted: {found.detail}")
    return found.e164


def _assert_cost(sms: OutboundSms, most_micros: int) -> None:
    row = Message.objects.only("cost_micros").get(pk=sms.reference[:36])
    if row.cost_micros > most_micros:
        cost, most = money.amount(row.cost_micros), money.amount(most_micros)
        raise AssertionError(f"it cost {cost}, more than {most}: {sms.text!r}")


def _all_sent() -> str:
    """What was sent, and what was refused, for the message of a failed test."""
    sent = "".join(f"\n  to +{sms.to}: {sms.text!r}" for sms in outbox[-20:])
    refused = Message.objects.exclude(error="").order_by("id").values_list("error", "error_detail")
    faults = "".join(f"\n  not sent ({code}): {detail}" for code, detail in refused[:20])
    return f"Sent: {sent or 'nothing'}{faults}"
