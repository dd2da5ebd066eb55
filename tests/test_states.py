"""The state tables, and the page that explains them."""

from __future__ import annotations

import re
from pathlib import Path

from bulksms import states

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "states.md"


def test_the_page_has_the_same_moves_as_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+)\|$", PAGE.read_text(), re.MULTILINE)
    written = {old: frozenset(re.findall(r"`(\w+)`", new)) for old, new in rows}

    assert written == states.MESSAGE_MOVES


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
