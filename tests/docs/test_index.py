"""Every page can be reached by links from docs/index.md, also where no Sphinx runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.blocks import DOCS

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def links_of(page: Path) -> Iterator[Path]:
    """The files that the page links to; fences are no text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target, _ in LINK.findall(re.sub(r"`[^`]*`", "", text)):
        if target and "://" not in target:
            yield (page.parent / target).resolve()


def reachable() -> set[Path]:
    found, new = set(), {DOCS / "index.md"}
    while new:
        found |= new
        linked = {link for page in new for link in links_of(page) if link.suffix == ".md"}
        new = {page for page in linked if page.exists()} - found
    return found


def test_every_page_is_reachable_from_the_index() -> None:
    assert sorted(set(DOCS.rglob("*.md")) - reachable()) == []


def test_every_link_leads_to_a_file_of_the_documentation() -> None:
    broken = [
        (page.name, str(link))
        for page in DOCS.rglob("*.md") for link in links_of(page)
        if not link.exists() or not link.is_relative_to(DOCS)
    ]  # fmt: skip

    assert broken == []
