"""Markdown: tables and the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: What stands at the top of a page that a program wrote.
WRITTEN = "<!-- Written by `make reference` from the code. Change it there. -->\n"


def cell(text: str) -> str:
    """One line that cannot end its cell, with the code spans of Markdown."""
    return re.sub(r"\s+", " ", re.sub(r"``|`", "`", text)).strip().replace("|", "\\|")


def code(text: object) -> str:
    return f"`{text}`" if str(text) else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def anchored(heading: str) -> str:
    """The anchor that a code host and Sphinx give this heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
