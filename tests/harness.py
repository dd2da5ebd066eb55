"""The whole road in one process: our outbox, the real HTTP carrier code, the simulator's engine.

No socket and no sleep: the carrier's transport is the simulator itself, time is a virtual clock
that both sides read, and delivery reports go through the real callback parser and store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bulksms.carriers.simulator import SimulatorCarrier
from bulksms.exceptions import InvalidReport
from bulksms.services import reconcile, reports
from bulksms.testing import drain, use_carrier, virtual_clock
from simulator.accounts import Account, Endpoint
from simulator.clocks import OutsideClock
from simulator.engine import EngineSettings
from simulator.schema import parse_rules
from simulator.testing import InProcessTransport

SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"

#: Reports that travel in one callback.
REPORT_BATCH = 500


class WithoutQuery(SimulatorCarrier):
    """The same carrier, if it had nobody to ask."""

    has_query = False


class FakeCarrier:
    """The simulator behind the carrier ``main``, and what it knows to be true."""

    def __init__(
        self,
        seed: int = 1,
        rules: Sequence[object] = (),
        *,
        carrier: type[SimulatorCarrier] = SimulatorCarrier,
        **options: Any,
    ) -> None:
        account = Account(
            EngineSettings(seed=seed, report_batch=REPORT_BATCH),
            clock=OutsideClock(virtual_clock),
            endpoint=Endpoint(secret=SECRET),
            rules=parse_rules(list(rules)),
        )
        self.transport = InProcessTransport(account, deliver=self.deliver)
        defaults = {"report_secret": SECRET, "max_batch": 500}
        self.carrier = carrier("main", {**defaults, **options}, transport=self.transport)

    def deliver(self, headers: dict[str, str], body: bytes) -> int:
        """A report callback, through our parser and store; the HTTP status it would get."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            reports.store("main", self.carrier.parse_reports(lower, body))
        except InvalidReport:
            return 400
        return 200

    def accepted(self, reference: object) -> int:
        """How often the carrier really took the message with our ``reference``."""
        return self.transport.engine.oracle.accepted_count(str(reference))

    @property
    def total_accepted(self) -> int:
        return self.transport.engine.oracle.totals["accepted"]

    @property
    def duplicates(self) -> tuple[int, int]:
        """(by reference, by what a handset sees): both must be zero."""
        return self.transport.engine.oracle.duplicates()

    def run(self, **span: float) -> None:
        """Dispatch, let ``span`` of time pass (10 s by default), take the reports, apply, tick."""
        drain()
        virtual_clock.advance(**(span or {"seconds": 10}))
        self.transport.pump()
        reconcile.tick_once()
        drain()


@contextmanager
def fake_carrier(
    seed: int = 1, rules: Sequence[object] = (), **options: Any
) -> Iterator[FakeCarrier]:
    """A fake carrier that stands in for ``main`` while the block runs."""
    house = FakeCarrier(seed, rules, **options)
    with use_carrier(house.carrier):
        yield house
