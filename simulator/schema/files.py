"""A whole rules document, from a file, a text or a parsed object."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from simulator import magic
from simulator.engine.rules import Rule, RuleSet
from simulator.schema.errors import Problem, RulesError
from simulator.schema.readers import Problems, choice, describe, table
from simulator.schema.rules import read_rule

MOST_RULES = 1_000


def parse_rules(document: object) -> RuleSet:
    """Read `{"magic": ..., "rules": [...]}` or a bare list. Raises RulesError with all problems."""
    problems: Problems = []
    whole_document = {"rules": document} if isinstance(document, list) else document
    read = table(
        whole_document,
        "document",
        problems,
        {"magic": choice("ours", "off"), "rules": _read_rules},
    )
    problems = [Problem(p.place.removeprefix("document."), p.message) for p in problems]
    if problems:
        raise RulesError(problems)
    source = {"magic": "ours", "rules": [], **_as_table(whole_document)}
    magic = magic_rules() if source["magic"] == "ours" else {}
    return RuleSet(read.get("rules", ()), magic, source)


def _as_table(document: object) -> dict[str, Any]:
    return dict(document) if isinstance(document, Mapping) else {}


@cache
def magic_rules() -> Mapping[str, Rule]:
    """Return number to rule for every scripted life in every region."""
    names = magic.life_names()
    return {
        magic.number_in(region, number): read_rule(
            {
                "name": f"magic: {names[number]}",
                "match": {"number": magic.number_in(region, number)},
                **knobs,
            },
            0,
            f"magic[{number}]",
            [],
        )
        for region in magic.BLOCKS
        for number, knobs in magic.LIVES.items()
    }


def _read_rules(raw: object, place: str, problems: Problems) -> tuple[Rule, ...]:
    if not isinstance(raw, list):
        problems.append(Problem(place, f"expected a list of rules, got {describe(raw)}"))
        return ()
    if len(raw) > MOST_RULES:
        problems.append(Problem(place, f"at most {MOST_RULES} rules, got {len(raw)}"))
        return ()
    rules = tuple(read_rule(r, i, f"{place}[{i}]", problems) for i, r in enumerate(raw))
    _check_names(rules, place, problems)
    return _told_apart(rules)


def _told_apart(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Equal rules without a name would draw alike: number the later ones."""
    seen: Counter[str] = Counter()
    found: list[Rule] = []
    for rule in rules:
        seen[rule.salt] += 1
        again = seen[rule.salt]
        found.append(rule if again == 1 else replace(rule, salt=f"{rule.salt}#{again}"))
    return tuple(found)


def _check_names(rules: tuple[Rule, ...], place: str, problems: Problems) -> None:
    """Two rules of one name would draw alike, and nobody could tell which one hit."""
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if first.setdefault(rule.name, index) != index:
            message = f"the name {rule.name!r} is taken by rule {first[rule.name]} (from 0)"
            problems.append(Problem(f"{place}[{index}].name", message))


def parse_text(content: str, *, form: str) -> RuleSet:
    """Read a document of `form` "toml" or "json". Raises RulesError, also for a syntax error."""
    try:
        document = tomllib.loads(content) if form == "toml" else json.loads(content)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise RulesError([Problem(form, str(error))]) from error
    return parse_rules(document)


def load_rules(path: str | Path) -> RuleSet:
    """Read a rules file; `.json` is JSON, anything else TOML. Raises RulesError, OSError."""
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RulesError([Problem(path.name, f"not UTF-8: {error}")]) from error
    return parse_text(content, form="json" if path.suffix == ".json" else "toml")
