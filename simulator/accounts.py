"""Accounts: each bearer key has its own rules, seed, clock, oracle and report URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator import africastalking, signing, wire
from simulator.clocks import Clock, RealClock
from simulator.engine import Callback, Decision, Engine, EngineSettings, QueryDecision, Submission
from simulator.engine.inject import Injection, injection_as_json
from simulator.engine.messages import Pending, Shape
from simulator.engine.rules import RuleSet
from simulator.journal import Journal
from simulator.schema import parse_rules

DEFAULT = "default"
DEFAULT_KEY = "test-key"
MOST_AT_ONCE = 1_000_000_000
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
        journal_path: Path | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.engine = engine or Engine(settings, parse_rules([]) if rules is None else rules)
        self.key = key
        self.clock: Clock = clock or RealClock()
        self.endpoint = endpoint or Endpoint()
        self.listeners: set[Callable[[], None]] = set()
        self.journal = Journal(self.engine, self.now(), journal_path)

    @property
    def name(self) -> str:
        return self.engine.settings.name

    def now(self) -> int:
        return self.clock.now_micros()

    # --- the carrier's side ------------------------------------------------------------------

    def submit(
        self, messages: Sequence[Submission], shape: Shape, client_timeout_us: int | None = None
    ) -> Decision:
        """Decide one request now."""
        now = self.now()
        decision = self.engine.submit(
            messages, now, shape=shape, client_timeout_us=client_timeout_us
        )
        self.journal.note(
            "submit", now, messages, shape, client_timeout_us, decision, messages=len(messages)
        )
        self.changed()
        return decision

    def query(self, client_refs: Sequence[str]) -> QueryDecision:
        """Answer a query by reference now."""
        now = self.now()
        decision = self.engine.query(client_refs, now)
        self.journal.note("query", now, client_refs, decision)
        return decision

    def take_callbacks(self, limit: int = MOST_AT_ONCE) -> list[Callback]:
        """Take the callbacks that are due; each must come back to `settle`."""
        now = self.now()
        callbacks = self.engine.due_callbacks(now, limit)
        if callbacks:
            self.journal.note("take", now, [(callback, callback.tries) for callback in callbacks])
        return callbacks

    def settle(self, callback: Callback, status: int) -> None:
        """Record how a callback was answered (0: not at all, NOWHERE: it had no address)."""
        now = self.now()
        self.engine.settle(callback, status, now)
        self.journal.note("settle", now, callback.id, status)
        self.changed()

    def postpone(self, callback: Callback) -> None:
        """Put back a callback that was to be posted before the answer, for the next round."""
        self.engine.postpone(callback)
        self.journal.note("postpone", self.now(), callback.id)

    # --- what tests and people do ------------------------------------------------------------

    def set_rules(self, rules: RuleSet) -> None:
        self.engine.set_rules(rules)
        self.journal.note("rules", self.now(), rules.source)

    def reset(self) -> None:
        """Forget all messages and start a new journal; rules and settings stay."""
        self.engine.reset()
        self.journal.restart(self.now())
        self.changed()

    def inject(self, injection: Injection) -> Pending:
        """Plan an extra report or inbound message. Raises KeyError for an unknown reference."""
        now = self.now()
        pending = self.engine.inject(injection, now)
        self.journal.note("inject", now, injection_as_json(injection))
        self.changed()
        return pending

    def changed(self) -> None:
        """Tell whoever waits that there may be something new."""
        for listener in tuple(self.listeners):
            listener()

    # --- callbacks ---------------------------------------------------------------------------

    @property
    def is_heard(self) -> bool:
        """Whether any callback has somewhere to go."""
        return self.endpoint.report_url is not None or self.endpoint.inbound_url is not None

    def url_of(self, callback: Callback) -> str | None:
        """Return where a callback goes; None where the account takes none of its kind."""
        if callback.kind == "inbound":
            return self.endpoint.inbound_url
        return self.endpoint.report_url

    def post_of(
        self, callback: Callback, foreign_ids: Mapping[str, str]
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a callback, signed where the account has a secret.

        The Africa's Talking shape is a form and never signed.
        """
        if callback.shape == "africastalking":
            return africastalking.render_callback(callback, foreign_ids)
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
    on_change: Callable[[], None] = lambda: None

    def add(self, account: Account) -> Account:
        """Add or replace an account. Raises ValueError for a bad name or a key that is taken."""
        if account.name in RESERVED_NAMES or not _NAME.fullmatch(account.name):
            raise ValueError(f"{account.name!r} cannot be the name of an account")
        owner = self.by_key(account.key)
        if owner is not None and owner.name != account.name:
            raise ValueError(f"the key of {account.name!r} is taken by another account")
        self.accounts[account.name] = account
        self.on_change()
        return account

    def by_key(self, key: str) -> Account | None:
        if key:
            for account in self.accounts.values():
                if account.key == key:
                    return account
        return None

    def foreign_ids(self, account: Account) -> dict[str, str]:
        """Return the latest id of every other account."""
        ids = {a.name: a.latest_id() for a in self.accounts.values() if a is not account}
        return {name: latest for name, latest in ids.items() if latest is not None}
