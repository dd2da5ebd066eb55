"""Every setting, check, code, command and knob of the code is in docs/reference."""

from __future__ import annotations

import re

import pytest

from bulksms import conf
from tests.docs.generate import checks, commands, errors, settings, simulator
from tests.docs.generate.pages import PAGES, path
from tests.docs.generate.source import ROOT

KNOWN_TO_THE_SIMULATOR = set(simulator.KIND_OF_KNOB)


def reference(name: str) -> str:
    return path(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert reference(name) == PAGES[name](), f"docs/reference/{name} is old: make reference"


# Settings


def test_every_setting_says_what_it_is() -> None:
    assert [each.name for each in settings.all_settings() if not each.meaning] == []


def test_every_setting_is_on_the_page() -> None:
    page = reference("settings.md")

    assert [name for name in sorted(conf.NAMES) if f"| `{name}` |" not in page] == []


def test_a_new_setting_without_its_line_is_noticed() -> None:
    source = "class S:\n    #: What it is.\n    OLD: int = 1_000\n    NEW: float = 2 * 3.0\n"

    old, new = settings.described(source)

    assert old == ("OLD", "int", "1_000", "What it is.")
    assert new == ("NEW", "float", "2 * 3.0", "")


def test_every_key_of_a_carrier_and_of_the_house_is_on_the_page() -> None:
    pattern = r"(?:entry|CARRIERS\.get\(\w+, {}\))(?:\.get\(|\[)\"([A-Z_]+)\""
    sources = "\n".join(file.read_text() for file in (ROOT / "bulksms").rglob("*.py"))

    assert set(re.findall(pattern, sources)) == set(settings.CARRIER)
    assert set(conf.HOUSE_DEFAULTS) == set(settings.HOUSE)


# Checks


def test_every_id_of_a_check_is_on_the_page() -> None:
    sources = "\n".join(file.read_text() for file in (ROOT / "bulksms").rglob("*.py"))
    ids = {found[0] for found in checks.ID.finditer(sources)}

    assert ids == {each.id for each in checks.all_checks()}
    assert [id_ for id_ in sorted(ids) if f"| `{id_}` |" not in reference("checks.md")] == []


def test_every_check_says_what_is_wrong() -> None:
    assert [each.id for each in checks.all_checks() if each.text in ("", "…")] == []


# Errors


def test_every_code_is_on_a_page() -> None:
    pages = reference("errors.md") + reference("errors_index.md")
    raised = {each.code for each in errors.codes()} | {each.code for each in errors.exceptions()}

    assert len(raised) > 50
    assert [code for code in sorted(raised) if f"`{code}`" not in pages] == []


def test_every_exception_says_when_it_is_raised() -> None:
    assert [each.name for each in errors.exceptions() if not each.meaning] == []


# Commands and the simulator


def test_every_command_and_each_of_its_arguments_says_what_it_does() -> None:
    page = commands.page()
    silent = re.findall(r"^\| (`.*`) \|  \|$", page, re.MULTILINE)

    assert [name for name in commands.names() if f"\n## {name}\n" not in page] == []
    assert silent == []


def test_every_knob_of_the_simulator_is_described() -> None:
    assert simulator.without_a_row() == set()
    assert {knob for knob, _ in simulator.values()} == KNOWN_TO_THE_SIMULATOR
