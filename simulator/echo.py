"""`--serve-replay FILE`: answers a live client from a journal, and nothing else.

A message is known by its content, its occurrence and its try; its recorded fate and reports are
given again, at the same times after the acceptance. A request that equals a recorded one also gets
its recorded faults, in their order. Anything else is refused with 501 `not_in_journal`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Any

from simulator.engine import Decision, Engine, Record, Submission, draws
from simulator.engine.fate import blank_record
from simulator.engine.knobs import Body, CloseIdle, Lose, ReportSpec
from simulator.engine.messages import Fault, Pending, Refusal, Shape
from simulator.engine.rules import RuleSet
from simulator.journal import Entry
from simulator.replay import settings_of

NOT_IN_JOURNAL = Refusal(501, "not_in_journal", "the journal holds no such message at this try")
_Key = tuple[bytes, int, int]


class EchoEngine(Engine):
    """An engine whose decisions are read, not made."""

    def __init__(self, header: Entry, entries: list[Entry]) -> None:
        super().__init__(settings_of(header), RuleSet())
        self._entries = entries
        self._load()

    def reset(self) -> None:
        super().reset()
        if hasattr(self, "_entries"):
            self._load()

    def _load(self) -> None:
        self._fates: dict[_Key, Entry] = {}
        self._requests: dict[bytes, deque[Entry]] = defaultdict(deque)
        for entry in self._entries:
            if entry["kind"] == "submit":
                self._learn(entry)

    def _learn(self, entry: Entry) -> None:
        messages = [Submission(*message) for message in entry["messages"]]
        contents = [self.fate.content(message) for message in messages]
        decision = entry["decision"]
        self._requests[draws.request_digest(contents)].append(decision)
        for content, truth in zip(contents, decision["records"], strict=False):
            self._fates[content, truth["occurrence"], truth["try"]] = truth

    def submit(
        self,
        messages: Sequence[Submission],
        now: int,
        *,
        shape: Shape = "json",
        client_timeout_us: int | None = None,
    ) -> Decision:
        """Answer from the journal; `client_timeout_us` was settled when it was recorded."""
        self.requests += 1
        contents = [self.fate.content(message) for message in messages]
        known = self._requests.get(draws.request_digest(contents))
        recorded = known.popleft() if known else None
        decision = _dressed(recorded)
        if decision.refusal is not None:
            return decision
        taken = len(messages) if recorded is None else len(recorded["records"])
        wanted = list(zip(messages, contents, strict=True))[:taken]
        if (full := self._no_room(len(wanted))) is not None:
            return Decision(refusal=full)
        if not self._knows_all(wanted):
            return Decision(refusal=NOT_IN_JOURNAL)
        for message, content in wanted:
            self._echo(decision, message, content, now, shape)
        decision.early = [self.schedule.callback([p]) for p in self._take_early(decision)]
        return decision

    def _knows_all(self, wanted: list[tuple[Submission, bytes]]) -> bool:
        """Say whether the journal has each message, counting equal ones within the request."""
        before: Counter[bytes] = Counter()
        for message, content in wanted:
            found = self.oracle.identify(message.client_ref, content)
            occurrence = found.occurrence + (before[content] if found.is_new else 0)
            before[content] += found.is_new
            if (content, occurrence, found.try_number) not in self._fates:
                return False
        return True

    def _echo(
        self, decision: Decision, message: Submission, content: bytes, now: int, shape: Shape
    ) -> None:
        found = self.oracle.identify(message.client_ref, content)
        truth = self._fates[content, found.occurrence, found.try_number]
        record = _record_of(blank_record(message, content, now, shape), truth)
        record.reports = [_pending(record, planned) for planned in truth["reports"]]
        self.oracle.add(record, found)
        self.oracle.report_planned(len(record.reports))
        decision.records.append(record)

    def _take_early(self, decision: Decision) -> list[Pending]:
        early: list[Pending] = []
        for pending in (p for record in decision.records for p in record.reports):
            if pending.spec.before_answer and pending.copy == 1:
                early.append(pending)
            else:
                self.schedule.add(pending)
        return early


def _dressed(recorded: Entry | None) -> Decision:
    """Return a decision with the faults that the recorded one had."""
    decision = Decision()
    if recorded is None:
        return decision
    if recorded["refusal"] is not None:
        decision.refusal = Refusal(**recorded["refusal"])
    if recorded["fault"] is not None:
        lose = recorded["fault"]["lose"]
        given: dict[str, Any] = {**recorded["fault"], "lose": lose and Lose(**lose)}
        decision.fault = Fault(**given)
    decision.body = recorded["body"] and Body(**recorded["body"])
    decision.close_idle = recorded["close_idle"] and CloseIdle(**recorded["close_idle"])
    decision.latency_us = recorded["latency_us"]
    return decision


def _record_of(record: Record, truth: Entry) -> Record:
    record.occurrence, record.try_number = truth["occurrence"], truth["try"]
    record.status, record.code, record.detail = truth["status"], truth["code"], truth["detail"]
    record.id, record.report_as, record.price = truth["id"], truth["report_as"], truth["price"]
    return record


def _pending(record: Record, planned: Entry) -> Pending:
    spec = ReportSpec(
        state=planned["state"],
        code=planned["code"],
        before_answer=planned["before_answer"],
        id_kind=planned["id"],
        part=planned["part"],
        omit=frozenset(planned["omit"]),
    )
    due = record.at + planned["after_us"]
    return Pending(planned["report_id"], record, spec, due, planned["copy"])


__all__ = ["NOT_IN_JOURNAL", "EchoEngine"]
