"""Small strict readers. Each takes a raw value, its place and the list of problems.

A reader returns the read value, or its `default` after it has reported a problem: so reading goes
on and the person who wrote the document gets every mistake in one go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from simulator.engine.knobs import Span
from simulator.schema.errors import Problem

T = TypeVar("T")
Problems = list[Problem]
Reader = Callable[[object, str, Problems], T]

SECOND_US = 1_000_000
#: No delay is longer: a year; beyond it a typing mistake is likelier than a wish.
LONGEST_S = 366 * 24 * 3600


def table(
    raw: object, place: str, problems: Problems, readers: Mapping[str, Reader[Any]]
) -> dict[str, Any]:
    """Read an object whose keys are all in `readers`; returns the given ones, read."""
    if not isinstance(raw, Mapping):
        problems.append(Problem(place, f"expected a table, got {describe(raw)}"))
        return {}
    read: dict[str, Any] = {}
    for key, value in raw.items():
        reader = readers.get(key)
        if reader is None:
            problems.append(Problem(f"{place}.{key}", unknown_word("key", key, readers)))
        else:
            read[key] = reader(value, f"{place}.{key}", problems)
    return read


def unknown_word(kind: str, word: object, known: Iterable[str]) -> str:
    words = sorted(known)
    close = get_close_matches(str(word), words, n=1)
    hint = f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(words)}"
    return f"unknown {kind} {word!r}{hint}"


def describe(raw: object) -> str:
    """Return a value as a short phrase for an error message."""
    text = repr(raw)
    return f"{type(raw).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def whole(low: int, high: int = 10**12) -> Reader[int]:
    """An integer in [low, high] (true and false are not integers)."""

    def read(raw: object, place: str, problems: Problems) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool) and low <= raw <= high:
            return raw
        message = f"expected a whole number from {low} to {high}, got {describe(raw)}"
        problems.append(Problem(place, message))
        return low

    return read


def real(low: float, high: float) -> Reader[float]:
    """A number in [low, high] (nan and the booleans are not in any range)."""

    def read(raw: object, place: str, problems: Problems) -> float:
        number = math.nan if isinstance(raw, bool) else raw
        if isinstance(number, int | float) and low <= number <= high:
            return float(number)
        message = f"expected a number from {low:g} to {high:g}, got {describe(raw)}"
        problems.append(Problem(place, message))
        return low

    return read


def text(raw: object, place: str, problems: Problems) -> str:
    if isinstance(raw, str):
        return raw
    problems.append(Problem(place, f"expected a text, got {describe(raw)}"))
    return ""


def flag(raw: object, place: str, problems: Problems) -> bool:
    if isinstance(raw, bool):
        return raw
    problems.append(Problem(place, f"expected true or false, got {describe(raw)}"))
    return False


def choice(*words: str) -> Reader[Any]:
    """One of `words`."""

    def read(raw: object, place: str, problems: Problems) -> str:
        if isinstance(raw, str) and raw in words:
            return raw
        problems.append(Problem(place, unknown_word("value", raw, words)))
        return words[0]

    return read


def one_or_many(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """One value, or a list of at least one."""

    def read(raw: object, place: str, problems: Problems) -> tuple[T, ...]:
        if not isinstance(raw, list | tuple):
            return (reader(raw, place, problems),)
        if not raw:
            problems.append(Problem(place, "expected at least one value, got an empty list"))
        return tuple(reader(item, f"{place}[{i}]", problems) for i, item in enumerate(raw))

    return read


def seconds(raw: object, place: str, problems: Problems) -> int:
    """Seconds, as microseconds."""
    return round(real(0, LONGEST_S)(raw, place, problems) * SECOND_US)


def span_seconds(raw: object, place: str, problems: Problems) -> Span:
    """Seconds, or `[low, high]` seconds, as a span of microseconds."""
    if not isinstance(raw, list | tuple):
        value = seconds(raw, place, problems)
        return Span(value, value)
    if len(raw) != 2:
        message = f"expected seconds or [low, high] seconds, got {describe(raw)}"
        problems.append(Problem(place, message))
        return Span(0, 0)
    low, high = (seconds(item, f"{place}[{i}]", problems) for i, item in enumerate(raw))
    if high < low:
        problems.append(Problem(place, f"the high end {high / SECOND_US:g} s is below the low end"))
    return Span(low, max(low, high))
