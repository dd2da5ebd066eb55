"""docs/reference/seeds.md names a test for every statement of the pages: those tests exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bulksms.models import SenderId
from bulksms.services import organisations
from tests.api.helpers import Api, assert_problem
from tests.factories import make_key, make_organisation

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "reference").glob("seeds*.md"))
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def names_in(file: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page) -> None:
    named = NAMED.findall(page.read_text())

    assert named, "a page without tests"
    missing = [f"{file}::{name}" for file, name in named if name not in names_in(ROOT / file)]
    assert missing == []


def test_every_row_of_the_v1_table_names_a_test_and_every_line_of_the_page_is_in_one() -> None:
    """The page's lines that say something; the others are headings, braces and blanks."""
    text = PAGES[0].read_text().partition("## Where")[0]
    rows = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    covered: set[int] = set()
    for row in rows:
        assert NAMED.search(row), row
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", row.split("|")[1]):
            covered |= set(range(int(first), int(last or first) + 1))

    saying = {6, 11, 13, 24, 25, 26, 41, 43, 55, 59, 60, 61, 62, 63, 67, 69, 134, 137, 138, 142}
    samples = {*range(18, 23), *range(30, 38), *range(45, 58), *range(75, 90), *range(93, 110),
               *range(113, 131)}  # fmt: skip
    assert saying | samples | set(range(148, 152)) <= covered


@pytest.mark.django_db
def test_the_default_sender_is_used_when_none_is_given(host) -> None:
    organisation = make_organisation(sender="OTHER")
    second = organisations.register_sender(organisation, "SECOND")
    api = Api(make_key(organisation))

    assert api.send("254712345678").json()["sender_id"] == "OTHER"
    organisations.set_default_sender(second)
    assert api.send("254712345678").json()["sender_id"] == "SECOND"
    SenderId.objects.update(is_default=False)
    assert_problem(api.send("254712345678"), 400, "sender_required")


@pytest.mark.django_db
def test_after_the_money_is_gone_also_cheaper_and_invalid_ones_are_skipped() -> None:
    organisation = make_organisation(balance_micros=2_500_000)
    messages = [
        {"to": "254712345678", "message": "x" * 161},
        {"to": "12", "message": "Hi"},
        {"to": "254723456789", "message": "x"},
        {"to": "254734567890", "message": "x"},
        {"to": "13", "message": "Hi"},
    ]

    body = Api(make_key(organisation)).post(
        "/v1/sms/send-bulk/", {"messages": [*messages[:2], {**messages[0], "to": "254711111111"},
                                            *messages[2:]]}
    ).json()  # fmt: skip

    assert [(e["mobile"], e["error"]) for e in body["errors"]] == [
        ("12", "invalid_recipient"),
        ("254711111111", "insufficient_balance"),
        ("254723456789", "skipped"),
        ("254734567890", "skipped"),
        ("13", "skipped"),
    ]
