"""The figures of a soak, and which of them must not be zero."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from bulksms import states
from bulksms.services import resolving
from tests.soak.checks.rows import SUBMISSION_MOVES
from tests.soak.deeds.engine import POINTS
from tests.soak.invariants import INVARIANTS

#: In a soak of this length all that is listed here must happen, each named crash so often.
FULL_MINUTES = 10
CRASHES = 20
#: Examples a minute that a soak is meant to reach; a slow machine is no fault of the app.
GOAL = 100

TRIGGERS = (
    "captured", "released", "release waited for its wallet", "refunded", "reversal",
    "reversal beyond the balance",
    "spend cap reached", "partial", "retried", "unconfirmed corrected",
    "unconfirmed sent once more", "late report after a retry",
    "cancelled", "paused", "resumed", "rescheduled", "rerouted", "number suppressed",
    "sender revoked", "key revoked", "report repeated", "report forged", "reports in two orders",
    "clock moved back", "carrier cannot be reached", "carrier stopped by a person",
    "repeated with its idempotency key", "sent in a transaction that was rolled back",
    "thawed too late to begin", "carrier queries",
    *(f"unknown resolved: {status}" for status in sorted(states.MESSAGE_MOVES[states.UNKNOWN])),
    *(f"unknown resolved: a person says {outcome}" for outcome in sorted(resolving.OUTCOMES)),
    *(f"intake: {error}" for error in (
        "queued", "invalid_recipient", "destination_not_allowed", "suppressed",
        "insufficient_balance", "spend_cap_reached", "skipped",
    )),
)  # fmt: skip

MOVES = (
    *(f"message: {old} -> {new}" for old, news in states.MESSAGE_MOVES.items() for new in news),
    *(f"message: {old} -> queued" for old in states.RETRYABLE_BY_ID),
    "message: queued -> delivered",
    *(f"submission: {old} -> {new}" for old, new in SUBMISSION_MOVES),
)
FORBIDDEN = tuple(
    f"forbidden: {old} -> {new}"
    for old in states.MESSAGE_STATES
    for new in states.MESSAGE_STATES
    if not states.allowed(old, new)
)


def write(figures: Mapping[str, int], path: Path) -> None:
    path.write_text(json.dumps(dict(figures), indent=1, sort_keys=True))


def read(folder: Path) -> Counter[str]:
    """The sum of all workers' figures."""
    total: Counter[str] = Counter()
    for path in sorted(folder.glob("*.json")):
        total.update(json.loads(path.read_text()))
    return total


def missing(figures: Mapping[str, int], crashes: int = CRASHES) -> list[str]:
    """What should have happened and did not (often enough)."""
    zero = [name for name in (*TRIGGERS, *MOVES, *FORBIDDEN) if not figures.get(name)]
    struck = [(f"crash: {point}", figures.get(f"crash: {point}", 0)) for point in POINTS]
    return [*zero, *(f"{name}, {times} of {crashes}" for name, times in struck if times < crashes)]


def lines(figures: Mapping[str, int]) -> Iterator[str]:
    """What happened how often, for people; :func:`verdict` comes after it."""
    for title, names in (
        ("what happened", TRIGGERS),
        ("deeds", sorted(name for name in figures if name.startswith("deed: "))),
        ("moves that are allowed", sorted(MOVES)),
        ("named crashes", [f"crash: {point}" for point in POINTS]),
    ):
        yield f"\n{title}"
        yield from (f"  {figures.get(name, 0):>7}  {name}" for name in names)
    tried = sum(bool(figures.get(name)) for name in FORBIDDEN)
    yield f"\nforbidden moves tried and refused: {tried} of {len(FORBIDDEN)}"


def verdict(figures: Mapping[str, int], seconds: float, *, strict: bool) -> Iterator[str]:
    """The last lines: what was done, what is missing, and whether that is a failure."""
    examples = figures.get("examples", 0)
    pace = 60 * examples / seconds
    goal = f"the goal is {GOAL}" if pace >= GOAL else f"BELOW the goal of {GOAL}"
    accepted, twice = figures.get("references accepted", 0), figures.get("accepted twice", 0)
    yield f"\n{examples} examples, {figures.get('steps', 0)} steps in {seconds:.0f} s"
    yield f"{pace:.0f} examples a minute, {goal}"
    yield f"{len(INVARIANTS)} invariants and the whole audit held after every step"
    yield f"{accepted} references accepted by carriers, {twice} of them twice"
    never = missing(figures)
    if never:
        yield "never, or too seldom:"
        yield from (f"  {name}" for name in never)
    if not never:
        yield f"PASSED: all that is listed happened, each named crash at least {CRASHES} times"
    elif strict:
        yield f"FAILED: {len(never)} missing"
    else:
        yield f"PASSED, but {len(never)} missing, which fails a soak of {FULL_MINUTES} minutes"
