"""Finds, knob by knob, the first rule that matches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from simulator.engine import draws
from simulator.engine.messages import Submission
from simulator.engine.rules import Match, Rule

_NOT_KNOBS = frozenset({"name", "salt", "match", "share_salt"})
KNOB_FIELDS = tuple(f.name for f in fields(Rule) if f.name not in _NOT_KNOBS)

#: The arrivals that one message or one request has already been counted as, per rule.
Counted = dict[str, bool]


class RuleBook:
    """The rules of an account, the magic numbers before them, and the arrival counters of `nth`."""

    def __init__(self, rules: Sequence[Rule], magic: Mapping[str, Rule] | None = None) -> None:
        self.rules = tuple(rules)
        self.magic = dict(magic or {})
        self._of_knob = {
            knob: tuple(rule for rule in rules if getattr(rule, knob) is not None)
            for knob in KNOB_FIELDS
        }
        contents = {rule.match.content for rule in rules if rule.match.content is not None}
        self._patterns = {pattern: re.compile(pattern) for pattern in contents}
        self._arrivals: dict[str, int] = {}

    def uses(self, knob: str) -> bool:
        """Say whether any rule (magic ones aside) sets `knob`."""
        return bool(self._of_knob[knob])

    def concerns(self, knob: str, to: str) -> bool:
        """Say whether any rule could set `knob` for this number (the quick way to a no)."""
        return bool(self._of_knob[knob]) or to in self.magic

    def candidates(self, knob: str, to: str) -> Sequence[Rule]:
        """Return the rules that set `knob`, the magic one of this number before all others."""
        rule = self.magic.get(to)
        if rule is None or getattr(rule, knob) is None:
            return self._of_knob[knob]
        return (rule, *self._of_knob[knob])

    def matches(self, rule: Rule, message: Submission, key: bytes, counted: Counted) -> bool:
        """Say whether `rule` matches a message whose share draws hang on `key`."""
        match = rule.match
        if not match.is_plain and not self._fits(match, message):
            return False
        if match.nth is not None and not self._counts(rule, counted):
            return False
        return match.share is None or draws.percent(key + rule.share_salt) < match.share

    def request_matches(
        self, rule: Rule, messages: Sequence[Submission], key: bytes, counted: Counted
    ) -> bool:
        """Say whether `rule` matches a request: any of its messages will do."""
        if not any(self._fits(rule.match, message) for message in messages):
            return False
        if not self._counts(rule, counted):
            return False
        return rule.match.share is None or draw_share(rule, key) < rule.match.share

    def _fits(self, match: Match, message: Submission) -> bool:
        """Check the conditions that look at the message alone."""
        if match.prefixes and not message.to.startswith(match.prefixes):
            return False
        if match.numbers and message.to not in match.numbers:
            return False
        if match.senders and message.sender not in match.senders:
            return False
        if match.longer_than is not None and len(message.text) <= match.longer_than:
            return False
        if match.shorter_than is not None and len(message.text) >= match.shorter_than:
            return False
        return match.content is None or bool(self._patterns[match.content].search(message.text))

    def _counts(self, rule: Rule, counted: Counted) -> bool:
        """Count one arrival for a rule with `nth`, once per message or request."""
        nth = rule.match.nth
        if nth is None:
            return True
        if rule.salt not in counted:
            arrival = self._arrivals.get(rule.salt, 0) + 1
            self._arrivals[rule.salt] = arrival
            hit = arrival % nth.number == 0 if nth.every else arrival == nth.number
            counted[rule.salt] = hit
        return counted[rule.salt]


def draw_share(rule: Rule, key: bytes) -> float:
    """Return the draw, in percent [0, 100), that decides a rule with a share."""
    return draws.percent(key + rule.share_salt)


def explain(rule: Rule, key: bytes) -> str:
    """Say why `rule` matched: the conditions that held, the draw of a share."""
    match = rule.match
    reasons = [
        f"{word} {value!r}"
        for word, value in (
            ("prefix in", list(match.prefixes)),
            ("number in", sorted(match.numbers)),
            ("sender in", sorted(match.senders)),
            ("content matches", match.content),
            ("longer than", match.longer_than),
            ("shorter than", match.shorter_than),
        )
        if value not in (None, [])
    ]
    if match.nth is not None:
        reasons.append(f"arrival {'every ' if match.nth.every else ''}{match.nth.number}")
    if match.share is not None:
        reasons.append(f"share {match.share:g}: drew {draw_share(rule, key):.4f}")
    return "; ".join(reasons) or "matches everything"
