"""The state tables, the page that explains them, and the database that holds their words."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection
from itertools import product
from pathlib import Path

import pytest

from bulksms import states

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "states.md"
MIGRATIONS = ROOT / "bulksms" / "migrations"
MOVES = [*product(states.MESSAGE_STATES, repeat=2)]


def moves_on_the_page() -> dict[str, frozenset[str]]:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+)\|$", PAGE.read_text(), re.MULTILINE)
    return {old: frozenset(re.findall(r"`(\w+)`", new)) for old, new in rows}


def condition_in_the_database(name: str) -> ast.expr:
    """The condition of that constraint, from the last migration that makes it."""
    found = None
    for path in sorted(MIGRATIONS.glob("0*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            given = {k.arg: k.value for k in node.keywords} if isinstance(node, ast.Call) else {}
            called = given.get("name")
            if isinstance(called, ast.Constant) and called.value == name:
                found = given.get("condition", found)
    assert found is not None, f"no migration makes {name}"
    return found


def words_in(node: ast.AST) -> set[str]:
    constants = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


def test_the_page_has_the_same_moves_as_the_table() -> None:
    assert moves_on_the_page() == states.MESSAGE_MOVES


def test_a_message_may_move_as_the_page_says_and_not_otherwise() -> None:
    written = moves_on_the_page()

    for old, new in MOVES:
        assert states.allowed(old, new) == (new in written.get(old, ())), (old, new)


def test_the_page_has_the_same_moves_of_submissions() -> None:
    written = defaultdict(set)
    rows = r"^\| `(\w+)` \| `(\w+)` \| [^`].*\|$"
    for old, new in re.findall(rows, PAGE.read_text(), re.MULTILINE):
        written[old].add(new)

    assert written == states.SUBMISSION_MOVES


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        ("message_status", states.MESSAGE_STATES),
        ("campaign_status", states.CAMPAIGN_STATES),
        ("submission_status", {*states.SUBMISSION_MOVES}.union(*states.SUBMISSION_MOVES.values())),
        ("submission_slot", states.OPEN_SUBMISSIONS),  # what holds a slot of the window
        ("report_status", states.REPORT_STATES),
    ],
)
def test_the_database_holds_these_words_and_no_others(
    constraint: str, words: Collection[str]
) -> None:
    condition = condition_in_the_database(f"bulksms_{constraint}")

    assert words_in(condition) - {"status__in"} == set(words)


def test_the_database_allows_each_charge_in_the_same_states() -> None:
    held = {}
    for node in ast.walk(condition_in_the_database("bulksms_message_charge_fits_status")):
        if isinstance(node, ast.Call):
            given = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
            if "status__in" in given:
                held[given["charge"]] = set(given["status__in"])

    assert held == states.CHARGE_STATES


def test_each_counter_is_a_column_of_its_states_name() -> None:
    columns = words_in(ast.parse((MIGRATIONS / "0001_initial.py").read_text()))

    assert set(states.COUNTERS.values()) <= columns
    # "sent" alone is what we wait for a report of: sent_count counts what was ever sent
    others = {state: f"{state}_count" for state in states.MESSAGE_STATES if state != states.SENT}
    assert others.items() <= states.COUNTERS.items()


def test_every_state_has_one_counter_and_every_charge_its_states() -> None:
    assert set(states.COUNTERS) == set(states.MESSAGE_STATES)
    assert len(set(states.COUNTERS.values())) == len(states.MESSAGE_STATES)
    assert set(states.CHARGE_STATES) == set(states.CHARGES)
    assert set().union(*states.CHARGE_STATES.values()) == set(states.MESSAGE_STATES)


def test_nothing_leaves_a_final_state_but_unconfirmed() -> None:
    leaving = {old for old, new in states.MESSAGE_MOVES.items() if new}

    assert leaving & states.FINAL == {states.UNCONFIRMED}


def test_expiring_in_our_own_queue_is_no_evidence_of_acceptance() -> None:
    assert not states.accepts(states.QUEUED, states.EXPIRED)
    assert states.accepts(states.UNKNOWN, states.EXPIRED)
    assert not states.accepts(states.UNKNOWN, states.UNCONFIRMED)
    assert states.charges(states.UNKNOWN, states.UNCONFIRMED)


def test_money_is_captured_by_every_move_to_an_accepted_state_but_never_out_of_the_queue() -> None:
    capturing = {move for move in MOVES if states.allowed(*move) and states.charges(*move)}

    assert {new for _, new in capturing} == states.ACCEPTED
    assert capturing == {
        (old, new)
        for old, new in MOVES
        if states.allowed(old, new) and old != states.QUEUED and new in states.ACCEPTED
    }


def test_a_late_word_about_an_earlier_attempt_ends_only_what_is_queued_and_only_as_delivered() -> (
    None
):
    late = [move for move in MOVES if states.arrives_late(*move)]

    assert late == [(states.QUEUED, states.DELIVERED)]


def test_what_did_not_arrive_may_be_retried_unless_somebody_cancelled_it() -> None:
    (sentence,) = re.findall(
        r"A retry is a \*new attempt\*: (.+?) may go back", PAGE.read_text(), re.S
    )

    assert set(re.findall(r"`(\w+)`", sentence)) == states.RETRYABLE
    assert states.FINAL - {states.DELIVERED, states.CANCELLED} == states.RETRYABLE_BY_ID
    assert {states.UNCONFIRMED} == states.RETRYABLE_BY_ID - states.RETRYABLE
