"""The world of one example: two organisations, two fake carriers, one clock, and what was heard.

Everything that happens is a *deed* with plain arguments (``World.do``), so that an example is a
list that a file can hold and a command can play again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings as django_settings
from django.test import override_settings

from bulksms import ids
from bulksms.carriers.simulator import SimulatorCarrier
from bulksms.exceptions import InvalidReport
from bulksms.models import ApiKey, CarrierState, Organisation
from bulksms.services import keys, organisations, reports
from bulksms.services.claiming import Claim
from bulksms.testing import use_carrier, virtual_clock
from simulator.accounts import Account, Endpoint
from simulator.clocks import OutsideClock
from simulator.engine import EngineSettings
from simulator.engine.messages import Record
from simulator.schema import parse_rules
from simulator.testing import InProcessTransport
from tests.factories import make_organisation

SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"
SENDERS = ("TALKNTALK", "SECOND")
PRICE = 1_000_000

#: What a recipient may be: as it is written, its E.164 digits, why it is refused.
PEOPLE: Sequence[tuple[str, str, str]] = (
    ("254712000001", "254712000001", ""),
    ("0712000001", "254712000001", ""),
    ("+254 712 000 002", "254712000002", ""),
    ("254712000003", "254712000003", ""),
    ("254722000004", "254722000004", ""),
    ("254733000005", "254733000005", ""),
    ("254733000006", "254733000006", ""),
    ("256772123456", "256772123456", "destination_not_allowed"),
    ("not a number", "", "invalid_recipient"),
)
#: Texts and their parts, counted by hand.
TEXTS: Sequence[tuple[str, int]] = (
    ("Hi", 1),
    ("a" * 160, 1),
    ("a" * 161, 2),
    ("ж" * 71, 2),
    ("€" * 81, 2),
    ("z" * 460, 4),
)
#: Numbers of this prefix go to the second carrier, all others to the first.
SECOND_PREFIX = "25473"


class WithoutQuery(SimulatorCarrier):
    """The same carrier, if it had nobody to ask."""

    has_query = False


class House:
    """A fake carrier, the app's carrier object that speaks with it, and all it was asked for."""

    def __init__(self, name: str, seed: int, kind: type[SimulatorCarrier], **options: Any) -> None:
        account = Account(
            EngineSettings(seed=seed, report_batch=2),
            clock=OutsideClock(virtual_clock),
            endpoint=Endpoint(secret=SECRET),
            rules=parse_rules([]),
        )
        self.name = name
        self.transport = InProcessTransport(account, deliver=self.deliver)
        given = {"report_secret": SECRET, **options}
        self.carrier = kind(name, given, transport=self.transport)
        #: Callbacks as they came, for repeating them.
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.records_seen = 0

    def deliver(self, headers: dict[str, str], body: bytes) -> int:
        """A callback, through our parser and store; the HTTP status that it would get."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            reports.store(self.name, self.carrier.parse_reports(lower, body))
        except InvalidReport:
            return 400
        self.heard.append((headers, body))
        return 200

    def set_rules(self, rules: Sequence[Mapping[str, Any]]) -> None:
        self.transport.account.set_rules(parse_rules(list(rules)))

    @property
    def duplicates(self) -> int:
        """References that were accepted more than once."""
        return self.transport.engine.oracle.duplicates()[0]

    def new_records(self) -> list[Record]:
        """What the carrier decided since the last call."""
        found = self.transport.engine.oracle.records()
        fresh, self.records_seen = found[self.records_seen :], len(found)
        return fresh


@dataclass(frozen=True)
class Start:
    """How an example begins: drawn once."""

    seed: int = 1
    max_batch: int = 3
    window: int = 2
    parts_per_second: int | None = None
    at_deadline: str = "capture"
    balance: int = 20
    #: What both carriers do at first: the name of a rule.
    behaviour: str = ""


@dataclass
class Frozen:
    """A worker that stopped in the middle of a request."""

    house: House
    claim: Claim
    stage: str
    at: Any
    prepared: Any = None
    asked_at: Any = None
    results: Any = None


@dataclass
class World:
    """Everything that an example is about."""

    start: Start
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    frozen: list[Frozen] = field(default_factory=list)
    #: Accepted by a carrier, by reference: over both carriers and the whole example.
    accepted: Counter[str] = field(default_factory=Counter)
    #: Messages about which a person has decided: what they say is no longer only the carrier's.
    decided: set[UUID] = field(default_factory=set)
    #: (organisation or None, number) -> how many more it may get: what had left before.
    suppressed: dict[tuple[int | None, str], int] = field(default_factory=dict)
    #: organisation -> [(key, micros)] of its top-ups; reversed ones are taken out.
    top_ups: dict[int, list[str]] = field(default_factory=dict)
    #: organisation -> {from when: price of a unit}.
    rates: dict[int, dict[Any, int]] = field(default_factory=dict)
    #: (organisation, idempotency key) -> (request, campaign, when, who and what in it).
    keys: dict[tuple[int, int], tuple[Any, UUID, Any, Any]] = field(default_factory=dict)
    #: (when, parts) of every request to the carrier that declares a pace.
    asked: list[tuple[Any, int]] = field(default_factory=list)
    #: The organisation that the deed of this step belongs to; None = any.
    actor: int | None = None
    #: The deed of this step was refused, undone or a repeat.
    nothing_may_change: bool = False
    count: int = 0

    def open(self) -> None:
        """Make it; close it with :meth:`close`."""
        self._stack = ExitStack()
        main = {"REFUNDS": {"undelivered": "refund", "unconfirmed": "refund"}}
        backend = {"BACKEND": "bulksms.carriers.simulator.SimulatorCarrier"}
        changed = {
            **django_settings.BULKSMS,
            "CARRIERS": {"main": {**backend, **main}, "second": backend},
            "ROUTES": {"": "main", SECOND_PREFIX: "second"},
            "CLOCK": "bulksms.testing.virtual_clock",
            "UNKNOWN_AT_DEADLINE": self.start.at_deadline,
        }
        self._stack.enter_context(override_settings(BULKSMS=changed))
        self._stack.callback(ids.seed, None)
        ids.seed(self.start.seed)
        virtual_clock.reset()
        CarrierState.objects.all().delete()
        options = {"max_batch": self.start.max_batch, "window": self.start.window}
        self.houses = {
            "main": House("main", self.start.seed, SimulatorCarrier, **options,
                          parts_per_second=self.start.parts_per_second),
            "second": House("second", self.start.seed, WithoutQuery, **options),
        }  # fmt: skip
        for house in self.houses.values():
            self._stack.enter_context(use_carrier(house.carrier))
        self.organisations = [self._organisation() for _ in range(2)]
        self.api_keys: list[list[tuple[ApiKey, str]]] = [
            [keys.create(owner)] for owner in self.organisations
        ]

    def _organisation(self) -> Organisation:
        owner = make_organisation(balance_micros=0, price_micros=PRICE, sender=SENDERS[0])
        organisations.register_sender(owner, SENDERS[1])
        self.rates[owner.pk], self.top_ups[owner.pk] = {}, []
        return owner

    def close(self) -> None:
        self._stack.close()

    # Short words for deeds and invariants

    @property
    def now(self) -> Any:
        return virtual_clock.now()

    def note(self, what: str, times: int = 1) -> None:
        """Count that something happened; the figures add it up over all examples."""
        if times:
            self.figures[what] += times

    def next_number(self) -> int:
        self.count += 1
        return self.count

    def organisation(self, which: int) -> Organisation:
        """One of the two, as it is now; the deed is its own."""
        owner = self.organisations[which % 2]
        self.actor = owner.pk
        return owner

    def index(self, organisation_id: int) -> int:
        """Which of the two it is."""
        return [owner.pk for owner in self.organisations].index(organisation_id)

    def price(self, owner: Organisation) -> int:
        """Of a unit, now (the clock may have been moved back)."""
        known = self.rates[owner.pk]
        return known[max(at)] if (at := [at for at in known if at <= self.now]) else PRICE

    def as_plan(self) -> str:
        """The example as a file that ``python -m tests.soak --plan`` plays."""
        document = {"start": vars(self.start), "steps": self.log}
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def read_plan(path: Path) -> tuple[Start, list[tuple[str, dict[str, Any]]]]:
    """What :meth:`World.as_plan` wrote."""
    document = json.loads(path.read_text())
    return Start(**document["start"]), [(name, args) for name, args in document["steps"]]
