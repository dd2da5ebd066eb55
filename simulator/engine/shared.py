"""The shared-state knobs of one account: throttle, queue, credit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

from simulator.engine import words
from simulator.engine.book import RuleBook
from simulator.engine.knobs import Queue, Throttle
from simulator.engine.limits import Bucket
from simulator.engine.messages import Refusal, Submission
from simulator.engine.parts import count_parts
from simulator.engine.rules import Rule

SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hit(NamedTuple):
    """A message refused by shared state."""

    code: str
    knob: str
    rule: Rule


class SharedState:
    """Buckets and credit, one per rule, filled by what the account took so far."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._buckets: dict[str, Bucket] = {}
        self._spent: dict[str, int] = {}
        #: Whether any rule fills a bucket or spends credit: most accounts have none.
        self.is_used = any(book.uses(knob) for knob in ("throttle", "queue", "credit"))

    def admit(self, messages: Sequence[Submission], now: int) -> Refusal | None:
        """Admit a request as a whole, or say why not (and then take nothing of it)."""
        if not self.is_used:
            return None
        wanted: list[tuple[Bucket, int]] = []
        for knob in ("throttle", "queue"):
            for rule, units in self._loads(knob, messages):
                limit: Throttle | Queue = getattr(rule, knob)
                if limit.per == "message":
                    continue
                bucket = self._bucket(knob, rule, limit)
                if not bucket.fits(units, now):
                    return _refusal(limit, bucket, units, now)
                wanted.append((bucket, units))
        for bucket, units in wanted:
            bucket.add(units, now)
        return None

    def _loads(self, knob: str, messages: Sequence[Submission]) -> Iterable[tuple[Rule, int]]:
        """Return what the messages weigh on each rule's bucket."""
        if not self._book.uses(knob):
            return ()
        weigh: Callable[[Submission], int] = _parts if knob == "throttle" else _one
        loads: dict[str, tuple[Rule, int]] = {}
        for message in messages:
            rule = self._rule(knob, message)
            if rule is not None:
                units = loads.get(rule.salt, (rule, 0))[1]
                loads[rule.salt] = rule, units + weigh(message)
        return loads.values()

    def refuse_message(self, message: Submission, now: int) -> Hit | None:
        """Refuse one message of an admitted request, or take its place in the buckets."""
        wanted: list[tuple[Bucket, int]] = []
        for knob, code in (("throttle", "throttled"), ("queue", "queue_full")):
            rule = self._rule(knob, message) if self._book.uses(knob) else None
            if rule is None:
                continue
            limit: Throttle | Queue = getattr(rule, knob)
            if limit.per != "message":
                continue
            bucket = self._bucket(knob, rule, limit)
            units = _parts(message) if knob == "throttle" else 1
            if not bucket.fits(units, now):
                return Hit(code, knob, rule)
            wanted.append((bucket, units))
        for bucket, units in wanted:
            bucket.add(units, now)
        return None

    def out_of_credit(self, message: Submission) -> Hit | None:
        """Say whether the credit left does not pay for this message."""
        rule = self._rule("credit", message) if self._book.uses("credit") else None
        if rule is None or rule.credit is None:
            return None
        if self._spent.get(rule.salt, 0) + _parts(message) <= rule.credit.parts:
            return None
        return Hit(rule.credit.code, "credit", rule)

    def charge(self, message: Submission) -> None:
        """Take an accepted message from the credit."""
        rule = self._rule("credit", message) if self._book.uses("credit") else None
        if rule is not None:
            self._spent[rule.salt] = self._spent.get(rule.salt, 0) + _parts(message)

    def _rule(self, knob: str, message: Submission) -> Rule | None:
        for rule in self._book.candidates(knob, message.to):
            if self._book.matches(rule, message, b"", {}):
                return rule
        return None

    def _bucket(self, knob: str, rule: Rule, limit: Throttle | Queue) -> Bucket:
        name = f"{knob}:{rule.salt}"
        if name not in self._buckets:
            if isinstance(limit, Throttle):
                self._buckets[name] = Bucket(limit.burst, limit.rate_micro)
            else:
                self._buckets[name] = Bucket(limit.depth, limit.drain_micro)
        return self._buckets[name]


def _parts(message: Submission) -> int:
    return count_parts(message.text)


def _one(_message: Submission) -> int:
    return 1


def _refusal(limit: Throttle | Queue, bucket: Bucket, units: int, now: int) -> Refusal:
    """Write the refusal of a whole request, its Retry-After as the rule wants it."""
    wait_us = bucket.wait_us(units, now)
    code = "throttled" if isinstance(limit, Throttle) else "queue_full"
    if wait_us is None:
        detail = f"a request of {units} never fits: at most {bucket.capacity} at once"
        return Refusal(413, "too_large", detail)
    wait_s = -(-wait_us // SECOND_US)
    header: str | None = str(wait_s)
    if limit.retry_after == "missing":
        header = None
    elif limit.retry_after == "date":
        at = _EPOCH + timedelta(microseconds=now) + timedelta(seconds=wait_s + 1)
        header = format_datetime(at, usegmt=True)
    elif limit.retry_after == "lying":
        header = str(wait_s // 10)
    return Refusal(words.STATUS_OF_CODE[code], code, words.DETAIL_OF_CODE[code], header)
