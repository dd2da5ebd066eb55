"""The request knobs: what happens to the connection and to the answer as a whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

from simulator.engine import draws
from simulator.engine.book import Counted, RuleBook
from simulator.engine.ids import write_id
from simulator.engine.knobs import Answer, Latency, Rows
from simulator.engine.messages import Decision, Refusal, Row, Submission
from simulator.engine.rules import Rule

REQUEST_KNOBS = (
    "lose_request",
    "answer",
    "process_late",
    "drop_after",
    "lose_answer",
    "latency",
    "rows",
    "body",
    "close_idle",
)
_LONGEST_LATENCY_US = 3_600_000_000


class RequestFaults:
    """Chooses the request knobs of each request."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._used: Counter[tuple[str, str, bytes]] = Counter()
        magic = book.magic.values()
        self._knobs = tuple(k for k in REQUEST_KNOBS if book.uses(k))
        self._magic_knobs = tuple(
            k for k in REQUEST_KNOBS if any(getattr(rule, k) is not None for rule in magic)
        )

    def wanted(self, messages: Sequence[Submission]) -> bool:
        """Say whether any request knob could apply (else the request needs no digest)."""
        if self._knobs or not self._magic_knobs:
            return bool(self._knobs)
        magic = self._book.magic
        return not magic.keys().isdisjoint([message.to for message in messages])

    def choose(self, messages: Sequence[Submission], digest: bytes) -> dict[str, Rule]:
        """Return, per knob, the first rule that matches the request."""
        counted: Counted = {}
        chosen: dict[str, Rule] = {}
        for knob in dict.fromkeys((*self._knobs, *self._magic_knobs)):
            rule = self._first(knob, messages, digest, counted)
            if rule is not None:
                chosen[knob] = rule
        return chosen

    def _first(
        self, knob: str, messages: Sequence[Submission], digest: bytes, counted: Counted
    ) -> Rule | None:
        for rule in self._candidates(knob, messages):
            if self._book.request_matches(rule, messages, digest, counted) and self._has_tries(
                knob, rule, digest
            ):
                return rule
        return None

    def _candidates(self, knob: str, messages: Sequence[Submission]) -> list[Rule]:
        """Return the magic rules of the request's numbers, then the others."""
        magic: dict[str, Rule] = {}
        if knob in self._magic_knobs:
            for message in messages:
                rule = self._book.magic.get(message.to)
                if rule is not None and getattr(rule, knob) is not None:
                    magic[rule.salt] = rule
        return [*(magic[salt] for salt in sorted(magic)), *self._book.candidates(knob, "")]

    def _has_tries(self, knob: str, rule: Rule, digest: bytes) -> bool:
        """Say whether a knob with `tries` may still be used for equal requests."""
        tries: int | None = getattr(getattr(rule, knob), "tries", None)
        return tries is None or self._used[knob, rule.salt, digest] < tries

    def use(self, chosen: dict[str, Rule], digest: bytes) -> None:
        """Count the chosen knobs that have `tries`. A throttled request uses none of them."""
        for knob, rule in chosen.items():
            if getattr(getattr(rule, knob), "tries", None) is not None:
                self._used[knob, rule.salt, digest] += 1


def draw_latency(latency: Latency, digest: bytes) -> int:
    """Return the microseconds before the answer of the request with this digest."""
    match latency.shape:
        case "fixed":
            return latency.low_us
        case "uniform":
            return draws.between(digest, "latency", latency.low_us, latency.high_us)
        case "spike":
            hit = draws.unit(digest, "latency") * 100 < latency.share
            return latency.high_us if hit else latency.low_us
        case "lognormal":
            even = min(max(draws.unit(digest, "latency"), 1e-12), 1 - 1e-12)
            factor = math.exp(latency.sigma * NormalDist().inv_cdf(even))
            return min(_LONGEST_LATENCY_US, round(latency.low_us * factor))


def spoil_rows(rows: list[Row], spec: Rows, digest: bytes) -> list[Row]:
    """Return the rows as the rule wants them: some gone, some invented, perhaps in disorder."""
    order = draws.shuffled(digest, "missing", range(len(rows)))
    gone = set(order[: spec.missing])
    kept = [row for index, row in enumerate(rows) if index not in gone]
    kept += [_invented(digest, index) for index in range(spec.extra)]
    return draws.shuffled(digest, "rows", kept) if spec.shuffled else kept


def _invented(digest: bytes, index: int) -> Row:
    bits = draws.number(digest, f"extra:{index}") >> 1
    to = f"2547{bits % 10**8:08d}"
    return Row(f"nobody-{bits:016x}", to, "accepted", write_id(bits, "hex"), 1, "KES 0.8000")


def refusal_of(answer: Answer) -> Refusal:
    """Return the refusal of a whole request that an `answer` rule wants."""
    after = None if answer.retry_after_s is None else str(answer.retry_after_s)
    return Refusal(answer.status, answer.code, answer.detail, after)


def dress(decision: Decision, chosen: dict[str, Rule], digest: bytes) -> list[str]:
    """Apply the knobs that spoil an answer which does arrive; return which of them did."""
    spoiled: list[str] = []
    if (rule := chosen.get("rows")) is not None and rule.rows is not None:
        spoiled.append("rows")
        decision.spoiled = spoil_rows(decision.rows, rule.rows, digest)
    if (rule := chosen.get("body")) is not None:
        spoiled.append("body")
        decision.body = rule.body
    if (rule := chosen.get("close_idle")) is not None:
        spoiled.append("close_idle")
        decision.close_idle = rule.close_idle
    return spoiled
