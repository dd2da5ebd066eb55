"""Reads one rule: its conditions, its knobs, and what may not stand together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from simulator.engine.knobs import KIND_OF_KNOB, Outcome, Throttle
from simulator.engine.rules import Match, Nth, Rule
from simulator.schema import requests, truth
from simulator.schema.errors import Problem
from simulator.schema.readers import (
    Problems,
    Reader,
    flag,
    one_or_many,
    real,
    table,
    text,
    whole,
)

KNOB_READERS: dict[str, Reader[Any]] = {
    "refuse": truth.refuse,
    "report": truth.report,
    "id_form": truth.id_form,
    "price": truth.price,
    "reply": truth.reply,
    "query": truth.query,
    "dedupe_by_ref": flag,
    "latency": requests.latency,
    "lose_answer": requests.lose,
    "lose_request": requests.lose,
    "process_late": requests.process_late,
    "drop_after": requests.drop_after,
    "answer": requests.answer,
    "rows": requests.rows,
    "body": requests.body,
    "close_idle": requests.close_idle,
    "throttle": requests.throttle,
    "queue": requests.queue,
    "credit": requests.credit,
}
#: These three say how a message ends: a rule holds one of them.
_OUTCOME_KEYS = ("refuse", "throttle", "report")


def read_rule(raw: object, index: int, place: str, problems: Problems) -> Rule:
    """Read the rule at `index`. Its draws are salted by its name, else by its own content.

    So another rule before it changes none of them.
    """
    readers = {"name": text, "match": read_match, **KNOB_READERS}
    read = table(raw, place, problems, readers)
    name = read.pop("name", "")
    match: Match = read.pop("match", Match())
    if isinstance(raw, Mapping) and not any(key in KNOB_READERS for key in raw):
        problems.append(Problem(place, "a rule without a knob does nothing"))
    match = _with_own_share(raw, match)
    outcome = _outcome(read, place, problems)
    _check_kinds(set(read) | ({"refuse"} if outcome else set()), match, place, problems)
    return Rule(
        name=name or f"rules[{index}]",
        salt=name or _content_salt(raw),
        match=match,
        outcome=outcome,
        **read,
    )


def _content_salt(raw: object) -> str:
    return blake2b(json.dumps(raw, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _outcome(read: dict[str, Any], place: str, problems: Problems) -> Outcome | None:
    """Take the outcome keys out of `read`."""
    found = {
        key: read.pop(key)
        for key in _OUTCOME_KEYS
        if key in read and not isinstance(read[key], Throttle)
    }
    if len(found) > 1:
        both = " and ".join(found)
        problems.append(Problem(place, f"{both} exclude each other (use refuse.report)"))
    return next(iter(found.values()), None)


def _with_own_share(raw: object, match: Match) -> Match:
    """`throttle = {share = 20, tries = 2}` has its share inside the knob."""
    knob = raw.get("throttle") if isinstance(raw, Mapping) else None
    share = knob.get("share") if isinstance(knob, Mapping) else None
    if not isinstance(share, int | float):
        return match
    return replace(match, share=float(share))


def _check_kinds(knobs: set[str], match: Match, place: str, problems: Problems) -> None:
    """A share is drawn per message or per request; a bucket cannot be drawn at all."""
    kinds = {KIND_OF_KNOB[knob] for knob in knobs}
    if "state" in kinds and match.nth is not None:
        message = "nth cannot choose what fills a throttle, queue or credit"
        problems.append(Problem(f"{place}.match.nth", message))
    if match.share is None:
        return
    if "state" in kinds:
        message = "a share cannot be drawn for throttle, queue or credit (shared-state knobs)"
        problems.append(Problem(f"{place}.match.share", message))
    if {"truth", "request"} <= kinds:
        message = "with a share, knobs of messages and knobs of requests need a rule each"
        problems.append(Problem(place, message))


def read_match(raw: object, place: str, problems: Problems) -> Match:
    """Read the conditions of a rule."""
    read = table(
        raw,
        place,
        problems,
        {
            "prefix": one_or_many(_digits),
            "number": one_or_many(_digits),
            "sender": one_or_many(text),
            "content": _pattern,
            "longer_than": whole(0),
            "shorter_than": whole(1),
            "share": real(0, 100),
            "nth": _nth,
        },
    )
    return Match(
        prefixes=read.get("prefix", ()),
        numbers=frozenset(read.get("number", ())),
        senders=frozenset(read.get("sender", ())),
        content=read.get("content"),
        longer_than=read.get("longer_than"),
        shorter_than=read.get("shorter_than"),
        share=read.get("share"),
        nth=read.get("nth"),
    )


def _digits(raw: object, place: str, problems: Problems) -> str:
    digits = text(raw, place, problems).removeprefix("+")
    if isinstance(raw, str) and not (digits.isascii() and digits.isdigit()):
        problems.append(Problem(place, f"expected digits, with or without +, got {raw!r}"))
    return digits


def _pattern(raw: object, place: str, problems: Problems) -> str:
    pattern = text(raw, place, problems)
    try:
        re.compile(pattern)
    except re.error as error:
        problems.append(Problem(place, f"not a regular expression: {error}"))
        return ""
    return pattern


def _nth(raw: object, place: str, problems: Problems) -> Nth:
    """An arrival by number, or `{every = n}`."""
    if not isinstance(raw, dict):
        return Nth(whole(1)(raw, place, problems))
    read = table(raw, place, problems, {"every": whole(1)})
    return Nth(read.get("every", 1), every=True)
