"""The journal: every submission and every decision, line by line, enough to compute it all again.

The first line holds version, account, seed, settings, rules and the time of the start. An entry is
kept as it happened and written as JSON only when it is read (or at once, to a file): so a journal
costs a test next to nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from simulator import __version__, wire
from simulator.engine import Callback, Decision, Engine, QueryDecision, Record, Submission
from simulator.engine.messages import Pending, Shape

FORMAT = 1
#: Messages that a journal in memory holds; beyond that it stops (a file never does).
MOST_IN_MEMORY = 50_000

Entry = dict[str, Any]


class JournalOverflow(Exception):
    """The journal in memory was too small for what happened."""

    def __init__(self) -> None:
        super().__init__(
            f"more than {MOST_IN_MEMORY} messages since the last reset: "
            "start with --journal FILE to keep them all"
        )


class Journal:
    """Keeps the entries of one account, in memory or in a file."""

    def __init__(self, engine: Engine, start: int, path: Path | None = None) -> None:
        self._engine = engine
        self._entries: list[tuple[Any, ...]] = []
        self._messages = 0
        self._overflowed = False
        self._file: TextIO | None = None if path is None else path.open("w+", encoding="utf-8")
        self._header = header_of(engine, start)
        self._write(self._header)

    def note(self, kind: str, at: int, *facts: Any, messages: int = 0) -> None:
        """Keep one entry. `facts` depends on the kind (see `_SHAPES`)."""
        if self._file is not None:
            self._write(as_json(kind, at, facts))
            return
        self._messages += messages
        if self._messages > MOST_IN_MEMORY:
            self._overflowed = True
            self._entries.clear()
        if not self._overflowed:
            self._entries.append((kind, at, *facts))

    def restart(self, at: int) -> None:
        """Begin anew after a reset. A file goes on, with an entry that says so."""
        if self._file is not None:
            self._write({"kind": "reset", "at": at})
            return
        self._entries.clear()
        self._messages, self._overflowed = 0, False
        self._header = header_of(self._engine, at)

    def lines(self) -> Iterator[str]:
        """Yield the lines, header first. Raises JournalOverflow."""
        if self._overflowed:
            raise JournalOverflow
        if self._file is not None:
            self._file.flush()
            self._file.seek(0)
            yield from (line.rstrip("\n") for line in self._file)
            self._file.seek(0, io.SEEK_END)
            return
        yield line_of(self._header)
        for kind, at, *facts in self._entries:
            yield line_of(as_json(kind, at, facts))

    def _write(self, entry: Entry) -> None:
        if self._file is not None:
            self._file.write(line_of(entry) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def line_of(entry: Entry) -> str:
    return wire.dump(entry).decode()


def header_of(engine: Engine, start: int) -> Entry:
    """Return the first line: all that a fresh engine needs."""
    settings = asdict(engine.settings)
    return {
        "kind": "start",
        "format": FORMAT,
        "version": __version__,
        "account": engine.settings.name,
        "seed": engine.settings.seed,
        "settings": settings,
        "rules": engine.rules.source,
        "at": start,
    }


# --- entries as JSON -------------------------------------------------------------------------


def as_json(kind: str, at: int, facts: Sequence[Any]) -> Entry:
    return {"kind": kind, "at": at, **_SHAPES[kind](*facts)}


def _submit(
    messages: Sequence[Submission], shape: Shape, timeout_us: int | None, decision: Decision
) -> Entry:
    return {
        "shape": shape,
        "client_timeout_us": timeout_us,
        "messages": [list(message) for message in messages],
        "decision": show_decision(decision),
    }


def show_decision(decision: Decision) -> Entry:
    """Return a decision whole: rows as answered, and per message the truth behind them."""
    fault, refusal = decision.fault, decision.refusal
    return {
        "rows": [list(row) for row in decision.rows],
        "records": [show_truth(record) for record in decision.records],
        "refusal": None if refusal is None else asdict(refusal),
        "fault": None if fault is None else asdict(fault),
        "body": None if decision.body is None else asdict(decision.body),
        "close_idle": None if decision.close_idle is None else asdict(decision.close_idle),
        "latency_us": decision.latency_us,
        "early": [callback.id for callback in decision.early],
    }


def show_truth(record: Record) -> Entry:
    return {
        "occurrence": record.occurrence,
        "try": record.try_number,
        "status": record.status,
        "code": record.code,
        "detail": record.detail,
        "id": record.id,
        "report_as": record.report_as,
        "price": record.price,
        "parts": record.parts,
        "rules": [[knob, rule.name] for knob, rule in record.hits],
        "reports": [_planned(p, record.at) for p in record.reports if not p.injected],
    }


def _planned(item: Pending, accepted_at: int) -> Entry:
    spec = item.spec
    return {
        "report_id": item.report_id,
        "copy": item.copy,
        "after_us": item.due - accepted_at,
        "state": spec.state,
        "code": spec.shown_code,
        "part": spec.part,
        "id": spec.id_kind,
        "omit": sorted(spec.omit),
        "before_answer": spec.before_answer,
    }


def _query(client_refs: Sequence[str], decision: QueryDecision) -> Entry:
    refusal = decision.refusal
    shown = {
        "rows": [list(row) for row in decision.rows],
        "refusal": None if refusal is None else asdict(refusal),
    }
    return {"client_refs": list(client_refs), "decision": shown}


def _take(taken: Sequence[tuple[Callback, int]]) -> Entry:
    """Show callbacks with the tries that they had behind them: those count on."""
    return {"decision": [_callback(callback, tries) for callback, tries in taken]}


def _callback(callback: Callback, tries: int) -> Entry:
    items = [[item.report_id, item.copy, item.due] for item in callback.items]
    return {"id": callback.id, "kind": callback.kind, "try": tries, "items": items}


_SHAPES: dict[str, Any] = {
    "submit": _submit,
    "query": _query,
    "take": _take,
    "settle": lambda callback_id, status: {"callback": callback_id, "status": status},
    "postpone": lambda callback_id: {"callback": callback_id},
    "rules": lambda source: {"rules": source},
    "inject": lambda injection: {"injection": injection},
}
