"""Rules documents: strict, and every mistake told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.engine.knobs import KIND_OF_KNOB
from simulator.schema import RulesError, load_rules, parse_rules, parse_text
from simulator.schema.rules import KNOB_READERS

FIVE_MISTAKES = """
magic = "theirs"

[[rules]]
match = { share = 130 }
report = "delivered"

[[rules]]
mach = { prefix = "2547" }
refuse = "blockd"

[[rules]]
name = "late"
report = { state = "delivered", delay_s = [9, 3] }
"""


def problems(document: object) -> list[tuple[str, str]]:
    with pytest.raises(RulesError) as caught:
        parse_rules(document)
    return [(problem.place, problem.message) for problem in caught.value.problems]


def test_a_file_with_five_mistakes_reports_all_five_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(FIVE_MISTAKES, encoding="utf-8")

    with pytest.raises(RulesError) as caught:
        load_rules(path)

    assert [problem.place for problem in caught.value.problems] == [
        "magic",
        "rules[0].match.share",
        "rules[1].mach",
        "rules[1].refuse.code",
        "rules[2].report.delay_s",
    ]
    assert str(caught.value).startswith("5 mistakes in the rules\n  magic: unknown value 'theirs'")


@pytest.mark.parametrize(
    ("rule", "place", "says"),
    [
        (7, "", "expected a table"),
        ({}, "", "does nothing"),
        ({"report": 5}, ".report", "expected a table, got int 5"),
        ({"report": {"stat": "x"}}, ".report.stat", "did you mean 'state'?"),
        ({"report": {"copies": 0}}, ".report.copies", "from 1 to 100"),
        ({"report": {"id": "theirs"}}, ".report.id", "own, unknown or account:NAME"),
        ({"report": []}, ".report", "at least one"),
        ({"refuse": {}}, ".refuse", "a code is missing"),
        ({"refuse": "blocked", "report": "delivered"}, "", "exclude each other"),
        ({"report": "delivered", "match": {"content": "("}}, ".match.content", "regular expr"),
        ({"report": "delivered", "match": {"prefix": "abc"}}, ".match.prefix", "expected digits"),
        ({"report": "delivered", "match": {"nth": 0}}, ".match.nth", "whole number from 1"),
        ({"throttle": {}}, ".throttle", "give parts_per_second"),
        ({"throttle": {"parts_per_second": 0}}, ".throttle.parts_per_second", "from 0.001"),
        (
            {"throttle": {"parts_per_second": 1}, "match": {"share": 5}},
            ".match.share",
            "shared-state",
        ),
        ({"queue": {"depth": 5}}, ".queue", "drain_per_second is missing"),
        ({"credit": {"parts": True}}, ".credit.parts", "whole number"),
        ({"latency": {}}, ".latency", "either median_s"),
        ({"lose_answer": "quietly"}, ".lose_answer", "known: close, reset, silence, status"),
        ({"lose_answer": 200}, ".lose_answer", "from 400 to 599"),
        ({"drop_after": {"how": "reset"}}, ".drop_after", "accepted is missing"),
        ({"answer": "who_knows"}, ".answer", "give a status"),
        ({"price": "KES much"}, ".price.amount", "expected an amount"),
        ({"query": {"tries": 2}}, ".query.tries", "give a status too"),
        ({"body": "gone"}, ".body.how", "unknown value 'gone'"),
        (
            {"match": {"share": 5}, "report": "expired", "lose_answer": "reset"},
            "",
            "need a rule each",
        ),
        ({"match": {"nth": 3}, "credit": 5}, ".match.nth", "nth cannot choose"),
    ],
)
def test_a_wrong_rule_says_where_and_what(rule: object, place: str, says: str) -> None:
    found = problems([rule])

    assert any(at == f"rules[0]{place}" and says in message for at, message in found), found


def test_documents_of_the_wrong_shape_are_mistakes_too() -> None:
    assert problems("rules") == [("document", "expected a table, got str 'rules'")]
    assert problems({"rules": {}})[0][0] == "rules"
    assert problems({"rule": []})[0] == ("rule", "unknown key 'rule', did you mean 'rules'?")
    with pytest.raises(RulesError, match="toml: "):
        parse_text("[[rules", form="toml")


def test_a_name_may_be_used_once() -> None:
    twice = [{"name": "a", "report": "expired"}, {"name": "a", "report": "delivered"}]

    assert problems(twice) == [("rules[1].name", "the name 'a' is taken by rule 0 (from 0)")]


def test_toml_and_json_read_alike(tmp_path: Path) -> None:
    toml, json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('[[rules]]\nmatch = {share = 3}\nreport = "expired"\n', encoding="utf-8")
    json.write_text('[{"match": {"share": 3}, "report": "expired"}]', encoding="utf-8")

    assert load_rules(toml).rules == load_rules(json).rules


def test_every_knob_has_a_reader_and_a_kind() -> None:
    assert set(KNOB_READERS) == set(KIND_OF_KNOB)


def test_a_rule_before_another_changes_none_of_its_draws() -> None:
    rule = {"match": {"share": 3}, "report": "expired"}

    alone, second = parse_rules([rule]), parse_rules([{"latency": 1}, rule, rule])

    assert second.rules[1].salt == alone.rules[0].salt
    assert second.rules[2].salt != alone.rules[0].salt
