"""How many parts a text takes, and which: one part is one unit, and units are what is paid for.

A text of one part has room for 160 septets or 70 16-bit units; of more parts each has room for
153 or 67, because 6 of its 140 bytes say how the parts belong together. An escape and its code,
or the two halves of a surrogate pair, never stand on two sides of a border, so a part can be
shorter than its room. Source: 3GPP TS 23.040, 9.2.3.24.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bulksms.sms.encoding import TWO_CODE_UNITS, TWO_SEPTETS, Encoding, is_basic, is_gsm7

GSM7_SINGLE, GSM7_PART = 160, 153  # septets
UCS2_SINGLE, UCS2_PART = 70, 67  # 16-bit units


@dataclass(frozen=True, slots=True)
class Segmentation:
    """``units`` is ``len(parts)``; the parts joined are the text."""

    encoding: Encoding
    units: int
    parts: tuple[str, ...]


def split(text: str) -> Segmentation:
    """The parts of *text*; any text has at least one, an empty text too (nothing is free).

    Takes any text and raises nothing. A lone surrogate counts as one 16-bit unit; it cannot be
    sent (see ``encoding.unsendable_characters``).
    """
    encoding, single, room, wide = _rules(text)
    if _width(text, wide) <= single:
        return Segmentation(encoding, 1, (text,))
    borders = [0, *_borders(text, room, wide)]
    parts = tuple(text[start:end] for start, end in pairwise(borders))
    return Segmentation(encoding, len(parts), parts)


def count(text: str) -> tuple[Encoding, int]:
    """Encoding and units of ``split(text)`` without making the parts; fast for short GSM texts."""
    if len(text) <= GSM7_SINGLE and is_basic(text):
        return "gsm7", 1
    encoding, single, room, wide = _rules(text)
    width = _width(text, wide)
    if width <= single:
        return encoding, 1
    if width == len(text):  # nothing to keep whole at a border
        return encoding, -(-width // room)
    return encoding, sum(1 for _ in _borders(text, room, wide))


def _rules(text: str) -> tuple[Encoding, int, int, re.Pattern[str]]:
    """Encoding, room of a single part, room of one of several, and what takes two places."""
    if is_gsm7(text):
        return "gsm7", GSM7_SINGLE, GSM7_PART, TWO_SEPTETS
    return "ucs2", UCS2_SINGLE, UCS2_PART, TWO_CODE_UNITS


def _width(text: str, wide: re.Pattern[str]) -> int:
    return len(text) + len(wide.findall(text))


def _borders(text: str, room: int, wide: re.Pattern[str]) -> Iterator[int]:
    """Where each part ends: as many whole characters as its room takes."""
    start = 0
    while start < len(text):
        part = text[start : start + room]
        over = _width(part, wide) - room
        end = start + len(part)
        while over > 0:
            end -= 1
            over -= 2 if wide.match(text, end) else 1
        yield end
        start = end
