"""What people write for a phone number: which signs belong in it, and which do not.

Raw text in, ASCII digits with their plus out, or None. Nothing is judged here but the writing;
``numbers`` asks ``phonenumbers`` what the digits are.
"""

from __future__ import annotations

import re
from decimal import Decimal

MAX_CHARACTERS = 64  # more than any number with all its separators

# Invisible characters that address books put around and into copied numbers. The right-to-left
# override (U+202E) is not among them: it makes a reader see another number than is sent.
_INVISIBLE_RANGES = (
    (0x00AD, 0x00AD),
    (0x061C, 0x061C),
    (0x180E, 0x180E),
    (0x200B, 0x200F),
    (0x202A, 0x202D),
    (0x2060, 0x2064),
    (0x2066, 0x206F),
    (0xFEFF, 0xFEFF),
)
_INVISIBLE = {point: None for first, last in _INVISIBLE_RANGES for point in range(first, last + 1)}
_SPACES = " \u00a0\u2000-\u200a\u202f\u205f\u3000"
_DASHES = "\\-\u2010-\u2015\u2212\u30fc\uff0d"
_DOTS = ".\uff0e"
_SEPARATORS = re.compile(f"[{_SPACES}{_DASHES}{_DOTS}]+")
_GROUP = re.compile(r"\(([^()]*[0-9][^()]*)\)")
_SHAPE = re.compile(rf"\(?\+?\(?\d(?:[\d(){_SPACES}{_DASHES}{_DOTS}]*[\d)])?")
_ASCII_SIGNS = str.maketrans("\uff0b\uff08\uff09", "+()")
# "2.54712E+11", "2,54712e11", "254712345678.0": what a spreadsheet makes of a number.
_SPREADSHEET = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+|\+?\d+[.,]0*")
_LIST_SIGNS = re.compile(r"[,;/|\n]")
# Each step starts with its own sign, so that no text makes the expression try twice.
_ASCII_SEPARATED = re.compile(
    r"(?:\+?[0-9]+|\(\+?[0-9]+\)[0-9]*)(?:[ -]{1,2}[0-9]+|[ -]{0,2}\([0-9]+\)[0-9]*)*"
)
_ASCII_SEPARATORS = str.maketrans("", "", " ()-")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def bare(raw: str) -> str:
    """Without white space at the ends and without the invisible characters that phones paste."""
    return raw.translate(_INVISIBLE).strip()


def digits_of(written: str) -> str | None:
    """ASCII digits with their plus, or None if this is not written as one phone number."""
    plain = written.translate(_ASCII_SIGNS)
    if not _SHAPE.fullmatch(plain) or _SPREADSHEET.fullmatch(plain):
        return None
    if not plain.isascii():
        plain = "".join(str(int(sign)) if sign.isdecimal() else sign for sign in plain)
    digits = _SEPARATORS.sub("", _GROUP.sub(r"\1", plain))
    return digits if digits.removeprefix("+").isdigit() else None


def match_ordinary(raw: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Match of *pattern* with the digits of ordinary ASCII writing; None says nothing.

    Never matches where ``digits_of(bare(raw))`` gives other digits, or None.
    """
    if len(raw) > MAX_CHARACTERS:
        return None
    if found := pattern.match(raw):
        return found
    written = raw.strip()
    if _ASCII_SEPARATED.fullmatch(written):
        return pattern.match(written.translate(_ASCII_SEPARATORS))
    return None


def looks_like_spreadsheet(raw: object) -> bool:
    """A number where text has to be, or the text that a spreadsheet made of one."""
    if isinstance(raw, str):
        return _SPREADSHEET.fullmatch(raw) is not None
    return isinstance(raw, (int, float, Decimal)) and not isinstance(raw, bool)


def looks_like_several(written: str) -> bool:
    return _LIST_SIGNS.search(written) is not None


def shown(raw: object) -> str:
    """What was written, safe to store and show: short, without NUL and lone surrogates."""
    if isinstance(raw, str):
        text = raw
    elif isinstance(raw, int) and raw.bit_length() > 1000:  # str() of a huge one raises
        text = "(a very long number)"
    else:
        text = str(raw) if looks_like_spreadsheet(raw) else f"({type(raw).__name__})"
    short = text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
    return _UNSTORABLE.sub("\ufffd", short)
