"""The carrier itself: pure, synchronous and seeded. In: (request, now). Out: a decision.

Sockets, waiting and posting belong to whoever holds the engine:

    decision = engine.submit([Submission("ref-1", "254712345678", "SENDER", "Hi")], now)
    for callback in engine.due_callbacks(now):
        engine.settle(callback, post(callback), now)

`now` is UTC microseconds and should not run backwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.engine import draws
from simulator.engine.book import RuleBook
from simulator.engine.counts import TableFull
from simulator.engine.fate import Fate, FateSettings
from simulator.engine.faults import RequestFaults, draw_latency, dress, refusal_of
from simulator.engine.inject import Injection, make_injected
from simulator.engine.knobs import Lose, Price, Span
from simulator.engine.messages import (
    Callback,
    Decision,
    Fault,
    Pending,
    QueryDecision,
    Refusal,
    Shape,
    Submission,
)
from simulator.engine.oracle import Oracle
from simulator.engine.queries import answer_query
from simulator.engine.reporting import settle
from simulator.engine.rules import Rule, RuleSet
from simulator.engine.schedule import Schedule, TakeUp
from simulator.engine.shared import SharedState

ONE_TO_THREE_SECONDS = Span(1_000_000, 3_000_000)
_ALL = 1_000_000_000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is made of, beside its rules.

    `report_batch` reports travel in one body (1: a single object); `report_grain_us` rounds their
    times up; `client_timeout_us` is what the client declares: an answer later than that is lost.
    """

    seed: int = 0
    name: str = "default"
    report_delay: Span = ONE_TO_THREE_SECONDS
    report_batch: int = 1
    report_grain_us: int = 0
    client_timeout_us: int | None = None
    price: Price = Price()  # noqa: RUF009 (frozen)
    keep: int = 100_000
    max_refs: int = 5_000_000


class Engine:
    """One account's carrier."""

    def __init__(
        self, settings: EngineSettings | None = None, rules: RuleSet | None = None
    ) -> None:
        self.settings = settings or EngineSettings()
        self.rules = rules or RuleSet()
        self.reset()

    def reset(self) -> None:
        """Forget everything but settings and rules."""
        self.oracle = Oracle(self.settings.keep, self.settings.max_refs)
        self.schedule = Schedule(self.settings.report_batch)
        self.faults: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.requests = 0
        self.set_rules(self.rules)

    def set_rules(self, rules: RuleSet) -> None:
        """Use other rules from now on; buckets, credit and `nth` start anew."""
        self.rules = rules
        book = RuleBook(rules.rules, rules.magic)
        settings = self.settings
        self._shared = SharedState(book)
        self._request_faults = RequestFaults(book)
        self.fate = Fate(
            FateSettings(
                settings.seed,
                settings.name,
                settings.report_delay,
                settings.report_grain_us,
                settings.price,
            ),
            book,
            self.oracle,
            self._shared,
        )

    # --- requests ----------------------------------------------------------------------------

    def submit(
        self,
        messages: Sequence[Submission],
        now: int,
        *,
        shape: Shape = "json",
        client_timeout_us: int | None = None,
    ) -> Decision:
        """Decide one request. Never raises for what a client sends."""
        self.take_up_due(now)
        self.requests += 1
        decision = Decision()
        if self._request_faults.wanted(messages):
            self._submit_badly(decision, messages, now, shape, client_timeout_us)
        elif (
            refusal := self._no_room(len(messages)) or self._shared.admit(messages, now)
        ) is not None:
            self._refuse(decision, refusal)
        else:
            self._take(decision, messages, now, shape)
        return decision

    def _submit_badly(
        self,
        decision: Decision,
        messages: Sequence[Submission],
        now: int,
        shape: Shape,
        client_timeout_us: int | None,
    ) -> None:
        """Decide a request that request knobs may concern."""
        digest = draws.request_digest(self.fate.content(message) for message in messages)
        chosen, wanted = self._request_faults.choose(messages, digest), list(messages)
        self._delay(decision, chosen, digest, client_timeout_us)
        refusal = self._refuse_whole(messages, chosen, now)
        if refusal is None or "answer" in chosen:
            self._request_faults.use(chosen, digest)
        if refusal is not None:
            self._refuse(decision, refusal)
        elif not self._lose(decision, chosen, now, digest, wanted, shape):
            self._take(decision, wanted, now, shape)
            self.faults.update(dress(decision, chosen, digest))

    def _delay(
        self,
        decision: Decision,
        chosen: dict[str, Rule],
        digest: bytes,
        client_timeout_us: int | None,
    ) -> None:
        """Set the latency; beyond the client's time-out the answer is lost to it."""
        rule = chosen.get("latency")
        if rule is None or rule.latency is None:
            return
        decision.latency_us = draw_latency(rule.latency, digest)
        limit = self.settings.client_timeout_us if client_timeout_us is None else client_timeout_us
        if limit is not None and decision.latency_us > limit:
            self._fail(decision, "latency", rule, Lose("silence"))

    def _refuse_whole(
        self, messages: Sequence[Submission], chosen: dict[str, Rule], now: int
    ) -> Refusal | None:
        rule = chosen.get("answer")
        if rule is not None and rule.answer is not None and "lose_request" not in chosen:
            return refusal_of(rule.answer)
        refusal = self._no_room(len(messages))
        if refusal is not None or "lose_request" in chosen:
            return refusal
        return self._shared.admit(messages, now)

    def _no_room(self, count: int) -> Refusal | None:
        if self.oracle.room() >= count:
            return None
        return Refusal(507, "simulator_full", str(TableFull(self.settings.max_refs)))

    def _refuse(self, decision: Decision, refusal: Refusal) -> None:
        self.refusals[refusal.code] += 1
        decision.refusal = refusal

    def _lose(
        self,
        decision: Decision,
        chosen: dict[str, Rule],
        now: int,
        digest: bytes,
        wanted: list[Submission],
        shape: Shape,
    ) -> bool:
        """Apply the knobs that lose a request or its answer. True: nothing is taken now."""
        if (rule := chosen.get("lose_request")) is not None:
            self._fail(decision, "lose_request", rule, rule.lose_request)
            return True
        if (rule := chosen.get("process_late")) is not None and rule.process_late is not None:
            late = rule.process_late
            due = now + draws.between(digest, "late", *late.delay)
            self.schedule.add_take_up(TakeUp(due, tuple(wanted), shape))
            self._fail(decision, "process_late", rule, Lose(late.how, late.status))
            return True
        if (rule := chosen.get("drop_after")) is not None and rule.drop_after is not None:
            del wanted[rule.drop_after.accepted :]
            self._fail(decision, "drop_after", rule, Lose(rule.drop_after.how))
        elif (rule := chosen.get("lose_answer")) is not None:
            self._fail(decision, "lose_answer", rule, rule.lose_answer)
        return False

    def _fail(self, decision: Decision, kind: str, rule: Rule, lose: Lose | None) -> None:
        self.faults[kind] += 1
        decision.fault = Fault(kind, rule.name, lose)

    def _take(
        self, decision: Decision, messages: Sequence[Submission], now: int, shape: Shape
    ) -> None:
        """Decide each message and plan its callbacks, those before the answer apart."""
        early: list[Pending] = []
        reports, decide, content, add = 0, self.fate.decide, self.fate.content, self.schedule.add
        for message in messages:
            record, planned = decide(message, content(message), now, shape)
            decision.records.append(record)
            if planned:
                reports += len(record.reports)
            for pending in planned or ():
                if pending.spec.before_answer and pending.copy == 1:
                    early.append(pending)
                else:
                    add(pending)
        self.oracle.report_planned(reports)
        if early:
            decision.early = [self.schedule.callback([pending]) for pending in early]

    def query(self, client_refs: Sequence[str], now: int) -> QueryDecision:
        """Answer the query by reference."""
        self.take_up_due(now)
        return answer_query(self.oracle, self.fate, client_refs, now)

    # --- time --------------------------------------------------------------------------------

    def next_due_at(self) -> int | None:
        """Return when the engine next has something to do (microseconds), or None."""
        return self.schedule.next_due()

    def take_up_due(self, now: int) -> None:
        """Decide the requests that were to be processed late, each at its own time."""
        for take_up in self.schedule.due_take_ups(now):
            decision = Decision()
            if (refusal := self._no_room(len(take_up.messages))) is not None:
                self._refuse(decision, refusal)
                continue
            self._take(decision, take_up.messages, take_up.due, take_up.shape)
            for callback in decision.early:
                self.postpone(callback)

    def due_callbacks(self, now: int, limit: int = _ALL) -> list[Callback]:
        """Take the callbacks to post now; each must be given back to `settle`."""
        self.take_up_due(now)
        return self.schedule.due_callbacks(now, limit)

    def settle(self, callback: Callback, status: int, now: int) -> None:
        """Record how a callback was answered; plan its next try.

        `status` 0: no answer; NOWHERE: there is no address, so no further try either.
        """
        settle(callback, status, now, self.schedule, self.oracle)

    def postpone(self, callback: Callback) -> None:
        """Put a callback's items back: they are due at once, as any others."""
        for item in callback.items:
            self.schedule.add(item)

    def inject(self, injection: Injection, now: int) -> Pending:
        """Plan an extra report or inbound message. Raises KeyError for an unknown reference."""
        pending = make_injected(injection, self.oracle, self.fate, now)
        if not injection.is_inbound:
            pending.record.reports.append(pending)
            self.oracle.report_planned(1)
        self.schedule.add(pending)
        return pending
