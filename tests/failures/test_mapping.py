"""docs/explanation/failures.md has every failure once, and names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "failures.md"

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def named() -> list[tuple[str, str]]:
    return sorted({(found[1], found[2]) for row in rows() for found in TEST.finditer(row[4])})


def test_every_failure_is_on_the_page_once_and_complete() -> None:
    assert [row[0] for row in rows()] == [str(number) for number in range(1, 51)]
    assert all(len(row) == 5 and all(row) for row in rows())


def test_every_failure_has_a_test_or_says_why_it_has_none() -> None:
    bare = [row for row in rows() if not TEST.search(row[4])]

    assert all(len(row[4].split()) >= 3 for row in bare), bare
    assert all("::" not in row[4] for row in bare), "a test that is named in another way"


@pytest.mark.parametrize(("path", "name"), named(), ids=[name for _, name in named()])
def test_the_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))

    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    assert name in defined


def functions() -> list[ast.FunctionDef]:
    """The tests beside this file."""
    here = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    trees = [ast.parse(path.read_text("utf-8")) for path in here]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node for node in found if node.name.startswith("test_")]


def test_what_is_expected_to_fail_is_said_on_the_page() -> None:
    said = {found[1] for found in re.finditer(r"not yet: `[^`]+::(\w+)`", PAGE.read_text("utf-8"))}

    failing = {
        node.name
        for node in functions()
        if any("mark.xfail" in ast.unparse(mark) for mark in node.decorator_list)
    }

    assert said == failing


def test_every_test_of_a_failure_is_on_the_page() -> None:
    written = {node.name for node in functions()}

    assert written - {name for _, name in named()} == set()
