"""The checked-in list of survivors: docs/explanation/mutmut_survivors.md, read as data."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.plugins.wheel import ROOT

PAGE = ROOT / "docs" / "explanation" / "mutmut_survivors.md"
BAR = r"\|"  # in a cell of a table
_HEADING = re.compile(r"## `(.+)`")
_ROW = re.compile(r"\| `(.*?)` \| `(.*?)` \| `(.*?)` \| (.+) \|")


class Survivor(NamedTuple):
    """A mutant, whatever line it is on: the changed lines before and after, in one function."""

    module: str
    place: str
    was: str
    now: str

    def row(self) -> str:
        """As the page has it, for somebody to say why."""
        cells = [f"`{text.replace('|', BAR)}`" for text in self[1:]]
        return f"| {' | '.join(cells)} | ? |"


def listed() -> list[Survivor]:
    found, module = [], ""
    for line in PAGE.read_text().splitlines():
        if heading := _HEADING.fullmatch(line):
            module = heading[1]
        elif row := _ROW.fullmatch(line):
            found.append(Survivor(module, *(text.replace(BAR, "|") for text in row.groups()[:3])))
    return found
