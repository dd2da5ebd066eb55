"""The marked blocks of a page: ``<!-- name -->`` on the line above the fence."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.docs.generate.source import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"^<!-- (?P<name>.+?) -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    name: str
    language: str
    text: str


def blocks_of(page: str) -> dict[str, Block]:
    """name -> block of docs/``page``, in the page's order. Every name stands once."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [Block(*match.groups()) for match in _BLOCK.finditer(text)]
    names = [block.name for block in found]
    assert len(names) == len(set(names)), f"two blocks of docs/{page} have one name"
    return dict(zip(names, found, strict=True))
