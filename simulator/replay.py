"""Replay: compute a journal again and name the first decision that differs.

`replay` feeds submissions and times to a fresh engine and compares; it never echoes what it read.
`simulator.echo` (for `--serve-replay`) does echo: it answers a live client from the journal, by the
content of each message and its try, and refuses everything else with 501 `not_in_journal`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.engine import Callback, Engine, EngineSettings, Submission
from simulator.engine.inject import Injection
from simulator.engine.knobs import Price, Span
from simulator.engine.rules import RuleSet
from simulator.journal import FORMAT, Entry, as_json, line_of
from simulator.schema import parse_rules


class BadJournal(ValueError):
    """A file that is no journal, or not one of this format. Says which line."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first decision that came out otherwise."""

    line: int
    kind: str
    place: str
    recorded: str
    computed: str

    def __str__(self) -> str:
        return (
            f"line {self.line} ({self.kind}): {self.place} differs\n"
            f"  journal   {self.recorded}\n  computed  {self.computed}"
        )


def read_journal(path: str | Path) -> tuple[Entry, list[Entry]]:
    """Return the header and the entries. Raises BadJournal, OSError."""
    with Path(path).open(encoding="utf-8") as lines:
        return read_lines(lines)


def read_lines(lines: Iterable[str]) -> tuple[Entry, list[Entry]]:
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise BadJournal(f"line {number}: not JSON: {error}") from error
        if not isinstance(entry, dict) or "kind" not in entry:
            raise BadJournal(f"line {number}: not an entry of a journal")
        entries.append(entry)
    if not entries or entries[0]["kind"] != "start" or entries[0].get("format") != FORMAT:
        raise BadJournal(f"line 1: not the start of a journal of format {FORMAT}")
    return entries[0], entries[1:]


def engine_of(header: Entry, rules: RuleSet | None = None) -> Engine:
    """Return a fresh engine as the journal's was; `rules` instead of its own, to compare."""
    return Engine(settings_of(header), rules or parse_rules(header["rules"] or []))


def settings_of(header: Entry) -> EngineSettings:
    given: dict[str, Any] = dict(header["settings"])
    given["report_delay"] = Span(*given["report_delay"])
    given["price"] = Price(**given["price"])
    return EngineSettings(**given)


def replay(header: Entry, entries: list[Entry], rules: RuleSet | None = None) -> Divergence | None:
    """Compute everything again; return the first difference, or None."""
    machine = _Machine(engine_of(header, rules))
    for number, entry in enumerate(entries, 2):
        computed = machine.run(entry)
        found = _compare(number, entry, computed)
        if found is not None:
            return found
    return None


def _compare(number: int, entry: Entry, computed: Entry | None) -> Divergence | None:
    if computed is None or line_of(computed) == line_of(entry):
        return None
    for place, recorded, now in _differences("", entry, computed):
        return Divergence(number, entry["kind"], place, json.dumps(recorded), json.dumps(now))
    return Divergence(number, entry["kind"], "the line", line_of(entry), line_of(computed))


def _differences(place: str, recorded: Any, computed: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (place, recorded, computed) of every leaf that differs, in order."""
    computed = json.loads(line_of({"value": computed}))["value"]
    if isinstance(recorded, dict) and isinstance(computed, dict):
        for key in dict.fromkeys((*recorded, *computed)):
            here = f"{place}.{key}" if place else str(key)
            yield from _differences(here, recorded.get(key), computed.get(key))
    elif isinstance(recorded, list) and isinstance(computed, list):
        for index in range(max(len(recorded), len(computed))):
            left = recorded[index] if index < len(recorded) else None
            right = computed[index] if index < len(computed) else None
            yield from _differences(f"{place}[{index}]", left, right)
    elif recorded != computed:
        yield place, recorded, computed


class _Machine:
    """A fresh engine that is driven by the inputs of a journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._flying: dict[str, Callback] = {}

    def run(self, entry: Entry) -> Entry | None:
        """Do what the entry says; return the entry as it comes out now (None: no decision)."""
        match entry["kind"]:
            case "submit":
                return self._submit(entry)
            case "query":
                refs, at = entry["client_refs"], entry["at"]
                return as_json("query", at, (refs, self._engine.query(refs, at)))
            case "take":
                return self._take(entry)
            case "settle":
                self._settle(entry)
            case "postpone":
                self._engine.postpone(self._flying.pop(entry["callback"]))
            case "rules":
                self._engine.set_rules(parse_rules(entry["rules"] or []))
            case "reset":
                self._engine.reset()
            case "inject":
                self._engine.inject(Injection(**entry["injection"]), entry["at"])
        return None

    def _submit(self, entry: Entry) -> Entry:
        messages = [Submission(*message) for message in entry["messages"]]
        shape, timeout_us = entry["shape"], entry["client_timeout_us"]
        decision = self._engine.submit(
            messages, entry["at"], shape=shape, client_timeout_us=timeout_us
        )
        self._flying |= {callback.id: callback for callback in decision.early}
        return as_json("submit", entry["at"], (messages, shape, timeout_us, decision))

    def _take(self, entry: Entry) -> Entry:
        callbacks = self._engine.due_callbacks(entry["at"], max(1, len(entry["decision"])))
        self._flying |= {callback.id: callback for callback in callbacks}
        return as_json("take", entry["at"], ([(c, c.tries) for c in callbacks],))

    def _settle(self, entry: Entry) -> None:
        callback = self._flying.pop(entry["callback"], None)
        if callback is not None:
            self._engine.settle(callback, entry["status"], entry["at"])
