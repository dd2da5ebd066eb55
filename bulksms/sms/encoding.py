"""The two alphabets of SMS: GSM 03.38 (7 bits) and UCS-2 (16 bits).

Source: 3GPP TS 23.038, default alphabet and its extension table. National shift tables are not
used: a carrier has to agree to each of them, and they gain nothing for English or Swahili.

Every function takes any text, NUL and lone surrogates included, and says what it raises.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

Encoding = Literal["gsm7", "ucs2"]

ESCAPE = 0x1B
# The place in the string is the code: 0x00 "@", 0x20 " ", 0x41 "A". The escape code 0x1B is no
# character; NUL stands in its place, and is taken out again below.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x00ÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
GSM_BASIC = frozenset(_BASIC) - {"\x00"}  # one septet each
GSM_EXTENSION = frozenset(_EXTENSION)  # two septets each: an escape and a code
GSM = GSM_BASIC | GSM_EXTENSION

# What takes two places of a part, in either alphabet; a part must not end between the two.
TWO_SEPTETS = re.compile(f"[{re.escape(''.join(_EXTENSION))}]")
TWO_CODE_UNITS = re.compile("[\U00010000-\U0010ffff]")

_ONLY_BASIC = re.compile(f"[{re.escape(''.join(sorted(GSM_BASIC)))}]*")
_ONLY_GSM = re.compile(f"[{re.escape(''.join(sorted(GSM)))}]*")
_FORCING = re.compile(f"[^{re.escape(''.join(sorted(GSM)))}]")
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")
_CODES = {char: bytes([code]) for code, char in enumerate(_BASIC) if char != "\x00"} | {
    char: bytes([ESCAPE, code]) for char, code in _EXTENSION.items()
}


def is_gsm7(text: str) -> bool:
    """Whether the GSM alphabet with its extension table has every character of *text*."""
    return _ONLY_GSM.fullmatch(text) is not None


def is_basic(text: str) -> bool:
    """Whether every character of *text* is in the GSM alphabet and takes one septet."""
    return _ONLY_BASIC.fullmatch(text) is not None


def septets(text: str) -> int:
    """Septets of a GSM text, two for a character of the extension table. Check ``is_gsm7`` first:

    for other text this is only the number that its GSM characters would take, plus one each.
    """
    return len(text) + len(TWO_SEPTETS.findall(text))


def code_units(text: str) -> int:
    """16-bit units of a text in UCS-2: two for characters above U+FFFF (most emoji)."""
    return len(text) + len(TWO_CODE_UNITS.findall(text))


def forcing_characters(text: str) -> tuple[tuple[str, int], ...]:
    """The characters that force UCS-2 on *text*, each with its count, in order of appearance."""
    return tuple(Counter(_FORCING.findall(text)).items())


def unsendable_characters(text: str) -> tuple[tuple[str, int], ...]:
    """NUL and lone surrogates, each with its count: a text with any of them is to be refused.

    A lone surrogate is half a character that UTF-16 and UTF-8 cannot write; NUL ends the text on
    some handsets and cannot be stored by PostgreSQL. All else can be sent in UCS-2.
    """
    return tuple(Counter(_UNSENDABLE.findall(text)).items())


def is_sendable(text: str) -> bool:
    """Whether there are no :func:`unsendable_characters`."""
    return _UNSENDABLE.search(text) is None


def encode(part: str, encoding: Encoding) -> bytes:
    """Bytes of one part: ``gsm7`` one byte for a septet (not packed), ``ucs2`` UTF-16BE, no BOM.

    Raises ValueError (UnicodeEncodeError is one) for a character that the encoding cannot write.
    """
    if encoding == "ucs2":
        return part.encode("utf-16-be")
    if not is_gsm7(part):
        raise ValueError("The GSM alphabet does not have every character of this text.")
    return b"".join([_CODES[char] for char in part])


def decode(data: bytes, encoding: Encoding) -> str:
    """The text of one part, as a handset reads it; the reverse of ``encode``.

    Raises ValueError for bytes that are no whole text: half a pair, an unknown escape.
    """
    if encoding == "ucs2":
        return data.decode("utf-16-be")
    codes = re.findall(rb"\x1b.|[\x00-\x1a\x1c-\x7f]", data, re.DOTALL)
    if b"".join(codes) != data or not all(code in _CHARACTERS for code in codes):
        raise ValueError("These bytes are no text of the GSM alphabet.")
    return "".join([_CHARACTERS[code] for code in codes])


_CHARACTERS = {code: char for char, code in _CODES.items()}
