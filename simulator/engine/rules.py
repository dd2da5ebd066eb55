"""Rules: conditions, and the knobs that they turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.engine.knobs import (
    Answer,
    Body,
    CloseIdle,
    Credit,
    DropAfter,
    IdForms,
    Latency,
    Lose,
    Outcome,
    Price,
    ProcessLate,
    Query,
    Queue,
    Reply,
    Rows,
    Throttle,
)


@dataclass(frozen=True, slots=True)
class Nth:
    """The n-th arrival, or every n-th after the first `offset`."""

    number: int
    every: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """All conditions must hold; one that is empty or None holds always. Numbers are digits."""

    prefixes: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    content: str | None = None
    longer_than: int | None = None
    shorter_than: int | None = None
    share: float | None = None
    nth: Nth | None = None
    #: No condition looks at the message itself.
    is_plain: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        looks = self.prefixes, self.numbers, self.senders, self.content
        sizes = self.longer_than, self.shorter_than
        plain = not any(looks) and sizes == (None, None)
        object.__setattr__(self, "is_plain", plain)


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions and knobs. `salt` separates the share draws of different rules."""

    name: str
    salt: str
    match: Match = field(default_factory=Match)
    outcome: Outcome | None = None
    id_form: IdForms | None = None
    price: Price | None = None
    reply: Reply | None = None
    query: Query | None = None
    dedupe_by_ref: bool | None = None
    latency: Latency | None = None
    lose_answer: Lose | None = None
    lose_request: Lose | None = None
    process_late: ProcessLate | None = None
    drop_after: DropAfter | None = None
    answer: Answer | None = None
    rows: Rows | None = None
    body: Body | None = None
    close_idle: CloseIdle | None = None
    throttle: Throttle | None = None
    queue: Queue | None = None
    credit: Credit | None = None
    share_salt: bytes = field(init=False, repr=False, default=b"")

    def __post_init__(self) -> None:
        salt = f"share:{self.salt}".encode("utf-8", "surrogatepass")
        object.__setattr__(self, "share_salt", salt)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of an account in order, and its magic numbers (number to rule) before them.

    `source` is the document they were read from, as plain JSON.
    """

    rules: tuple[Rule, ...] = ()
    magic: Mapping[str, Rule] = field(default_factory=dict)
    source: object = None
