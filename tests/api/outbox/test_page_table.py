"""docs/reference/seeds_outbox.md: every line of the page is in a row, every named test is there."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HERE = "tests/api/outbox/"
TABLE = ROOT / "docs/reference/seeds_outbox.md"
#: How many lines the page has.
PAGE_LINES = 329

_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
_ROW = re.compile(r"^\| (\d+)(?:-(\d+))? \| .+ \| (.+) \|$", re.MULTILINE)


def statements() -> list[tuple[int, int, str]]:
    """(first line, last line, what holds it) of each row of the first table."""
    table = TABLE.read_text().partition("## ")[0]
    return [(int(a), int(b or a), held) for a, b, held in _ROW.findall(table)]


def missing(text: str) -> list[str]:
    """The tests that ``text`` names and that are nowhere."""
    return [
        f"{file}::{name}"
        for file, name in _NAMED.findall(text)
        if name not in _functions(ROOT / (file if "/" in file else HERE + file))
    ]


@lru_cache
def _functions(path: Path) -> set[str]:
    if not path.exists():
        return set()
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


def test_the_rows_cover_the_page_without_gap() -> None:
    next_line = 1
    for first, last, _ in statements():
        assert first == next_line, f"line {next_line} is in no row, or in two"
        next_line = last + 1

    assert next_line == PAGE_LINES + 1


def test_every_row_names_a_test() -> None:
    assert [row for row in statements() if not _NAMED.search(row[2])] == []


def test_every_named_test_is_there() -> None:
    assert missing(TABLE.read_text()) == []


@pytest.mark.parametrize("name", ["test_single.py::test_nothing", "nowhere.py::test_every_field"])
def test_a_test_that_is_not_there_is_found(name) -> None:
    assert missing(f"| 1 | x | `{name}` |") == [name]
