"""CSV that is safe to open in a spreadsheet, and reads back as it was."""

from __future__ import annotations

#: What makes a spreadsheet run a cell as a formula.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def neutral(text: str) -> str:
    """``text`` with an apostrophe before it where a spreadsheet would read it as a formula.

    Also before an apostrophe of its own, so that :func:`plain` gives back every text exactly. Not
    for amounts: those are ours, and their minus must stay a minus.
    """
    return f"'{text}" if text.startswith((*_DANGEROUS, "'")) else text


def plain(text: str) -> str:
    """The text of a cell written by :func:`neutral`."""
    return text[1:] if text.startswith("'") else text
