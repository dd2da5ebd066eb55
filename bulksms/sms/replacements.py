"""Look-alikes: characters that word processors put in and that make a text dear.

One curly quote turns a GSM text of 160 characters into three UCS-2 parts. On request, and never
else, such characters are replaced by what people would have typed, and the answer says which were
and what it saved. Letters are never changed: "á" and "ç" are not "a" and "c".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulksms.sms.encoding import is_gsm7
from bulksms.sms.segments import count

_LOOK_ALIKES = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u2035\u02b9\u02bb\u02bc\u02c8\u02bd\u2039\u203a`\u00b4",
    '"': "\u201c\u201d\u201e\u201f\u2033\u2036\u02ba\u02ee\u00ab\u00bb\u301d\u301e",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u2022\ufe58\ufe63",
    "...": "\u2026",
    "/": "\u2044\u2215",
    " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u3000",
    "\n": "\x0b\x85\u2028\u2029",
    # Invisible: zero width, byte order mark, soft hyphen, marks of writing direction.
    "": "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u2066\u2067"
    "\u2068\u2069\ufe0e\ufe0f",
}
REPLACEMENTS = {char: plain for plain, chars in _LOOK_ALIKES.items() for char in chars} | {
    chr(code + 0xFEE0): chr(code)
    for code in range(0x21, 0x7F)
    if chr(code) != "`"  # full width
}
_REPLACEABLE = re.compile(f"[{re.escape(''.join(REPLACEMENTS))}]")


@dataclass(frozen=True, slots=True)
class Change:
    """One character that was replaced, ``count`` times; ``replacement`` "" means left out."""

    character: str
    replacement: str
    count: int

    @property
    def code_point(self) -> str:
        """For reports, because many of these characters cannot be seen: "U+2019"."""
        return f"U+{ord(self.character):04X}"


@dataclass(frozen=True, slots=True)
class Replaced:
    """``text`` is what to send; without ``changes`` it is the text as given."""

    text: str
    changes: tuple[Change, ...]
    units_before: int
    units_after: int

    @property
    def units_saved(self) -> int:
        return self.units_before - self.units_after


def replace(text: str) -> Replaced:
    """The text with its look-alikes replaced, and the report of what was changed and saved.

    All or nothing: it is changed only if that makes it a GSM text which costs no more. Beside an
    emoji or a letter that needs UCS-2 anyway, other quotes would save nothing (and joiners inside
    an emoji are not there by mistake); an ellipsis takes one place in UCS-2 but three in GSM.
    Takes any text and raises nothing.
    """
    before = count(text)[1]
    plain = _REPLACEABLE.sub(lambda found: REPLACEMENTS[found[0]], text)
    after = count(plain)[1]
    if plain == text or not is_gsm7(plain) or after > before:
        return Replaced(text, (), before, before)
    return Replaced(plain, _changes(text), before, after)


def _changes(text: str) -> tuple[Change, ...]:
    seen = dict.fromkeys(_REPLACEABLE.findall(text))
    return tuple(Change(char, REPLACEMENTS[char], text.count(char)) for char in seen)
