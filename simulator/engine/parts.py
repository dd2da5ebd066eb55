"""How many SMS parts a text takes (3GPP TS 23.038: GSM 7-bit, else UTF-16)."""

from __future__ import annotations

from functools import lru_cache

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_SEVEN_BIT = _BASIC | _EXTENDED

_SINGLE_GSM, _JOINED_GSM = 160, 153
_SINGLE_UTF16, _JOINED_UTF16 = 70, 67


def count_parts(text: str) -> int:
    """Return the parts (>= 1) that `text` takes; an empty text is one part."""
    # A short ASCII text is one part in either alphabet, whatever its characters weigh.
    if len(text) <= _SINGLE_UTF16 and text.isascii():
        return 1
    return _count_parts(text)


@lru_cache(maxsize=4096)
def _count_parts(text: str) -> int:
    if _SEVEN_BIT.issuperset(text):
        if len(text) <= _SINGLE_GSM and _EXTENDED.isdisjoint(text):
            return 1
        widths = [2 if char in _EXTENDED else 1 for char in text]
        return _pack(widths, _SINGLE_GSM, _JOINED_GSM)
    widths = [2 if ord(char) > 0xFFFF else 1 for char in text]
    return _pack(widths, _SINGLE_UTF16, _JOINED_UTF16)


def _pack(widths: list[int], single: int, joined: int) -> int:
    """Count the parts when no character may be split between two of them."""
    if sum(widths) <= single:
        return 1
    parts, room = 1, joined
    for width in widths:
        if width > room:
            parts, room = parts + 1, joined
        room -= width
    return parts
