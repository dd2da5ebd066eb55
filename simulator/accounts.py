"""Accounts: each bearer key has its own rules, seed, clock, oracle and report URL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator import signing, wire
from simulator.clocks import Clock, RealClock
from simulator.engine import Callback, Decision, Engine, EngineSettings, QueryDecision, Submission
from simulator.engine.knobs import RuleSet
from simulator.engine.messages import Shape
from simulator.schema import parse_rules

DEFAULT = "default"
DEFAULT_KEY = "test-key"
#: First path segments of the control plane: no account may be called so.
RESERVED_NAMES = frozenset(
    {"accounts", "clock", "journal", "mo", "oracle", "phones", "reports", "reset", "rules"}
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where callbacks go, and the secret that signs them (None: unsigned)."""

    report_url: str | None = None
    inbound_url: str | None = None
    secret: str | None = None

    def __post_init__(self) -> None:
        if self.secret is not None:
            signing.decode_secret(self.secret)


class Account:
    """An engine with a key, a clock and somewhere to post its callbacks."""

    def __init__(
        self,
        settings: EngineSettings | None = None,
        *,
        key: str = DEFAULT_KEY,
        clock: Clock | None = None,
        endpoint: Endpoint | None = None,
        rules: RuleSet | None = None,
    ) -> None:
        self.engine = Engine(settings, parse_rules([]) if rules is None else rules)
        self.key = key
        self.clock: Clock = clock or RealClock()
        self.endpoint = endpoint or Endpoint()

    @property
    def name(self) -> str:
        return self.engine.settings.name

    def now(self) -> int:
        return self.clock.now_micros()

    def submit(
        self, messages: Sequence[Submission], shape: Shape, client_timeout_us: int | None = None
    ) -> Decision:
        return self.engine.submit(
            messages, self.now(), shape=shape, client_timeout_us=client_timeout_us
        )

    def query(self, client_refs: Sequence[str]) -> QueryDecision:
        return self.engine.query(client_refs, self.now())

    def url_of(self, callback: Callback) -> str | None:
        """Return where a callback goes; None where the account takes none of its kind."""
        if callback.kind == "inbound":
            return self.endpoint.inbound_url
        return self.endpoint.report_url

    def post_of(
        self, callback: Callback, foreign_ids: Mapping[str, str]
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a callback, signed where the account has a secret."""
        callback.body = callback.body or wire.render_callback(callback, foreign_ids)
        headers = {"Content-Type": "application/json"}
        if self.endpoint.secret is not None:
            seconds = self.now() // 1_000_000
            headers |= signing.sign(self.endpoint.secret, callback.id, seconds, callback.body)
        return headers, callback.body

    def latest_id(self) -> str | None:
        """Return the carrier id accepted last, for rules of other accounts that want one."""
        return next((r.id for r in self.engine.oracle.latest() if r.id), None)


@dataclass(slots=True)
class House:
    """All accounts of one simulator, by name and by key."""

    accounts: dict[str, Account] = field(default_factory=dict)

    def add(self, account: Account) -> Account:
        """Add or replace an account. Raises ValueError for a bad name or a key that is taken."""
        if account.name in RESERVED_NAMES or not _NAME.fullmatch(account.name):
            raise ValueError(f"{account.name!r} cannot be the name of an account")
        owner = self.by_key(account.key)
        if owner is not None and owner.name != account.name:
            raise ValueError(f"the key of {account.name!r} is taken by another account")
        self.accounts[account.name] = account
        return account

    def by_key(self, key: str) -> Account | None:
        return next((a for a in self.accounts.values() if a.key == key), None) if key else None

    def foreign_ids(self, account: Account) -> dict[str, str]:
        """Return the latest id of every other account."""
        ids = {a.name: a.latest_id() for a in self.accounts.values() if a is not account}
        return {name: latest for name, latest in ids.items() if latest is not None}
