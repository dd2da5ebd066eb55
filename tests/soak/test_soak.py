"""A short soak with a fixed budget, and every saved regression once more."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.examples import play, walk
from tests.soak.machine import FAILURE, Soak
from tests.soak.watch import PreparedAudit

#: ``make soak`` plays on until its time is over, this only so many.
WALKS = int(os.environ.get("BULKSMS_SOAK_WALKS", "16"))
EXAMPLES = 8
STEPS = 40
PLANS = sorted((Path(__file__).parent / "plans").glob("*.json"))


def walked(seeds: range, audit: PreparedAudit) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        found += walk(seed, STEPS, audit, FAILURE)
    return found


@pytest.mark.slow
def test_nothing_breaks_on_bad_days_drawn_by_seed(audit: PreparedAudit) -> None:
    found = walked(range(1, 1 + WALKS), audit)

    assert found["examples"] == WALKS
    for what in ("captured", "released", "crash: after tx2", "message: unknown -> sent"):
        assert found[what] > 0, what


def test_nothing_breaks_on_one_bad_day_whatever_the_database(audit: PreparedAudit) -> None:
    assert walked(range(101, 103), audit)["examples"] == 2


@pytest.mark.slow
def test_nothing_breaks_on_what_hypothesis_comes_up_with(audit: PreparedAudit) -> None:
    budget = settings(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, derandomize=True,
        database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip
    Soak.figures.clear()

    run_state_machine_as_test(Soak, settings=budget)

    assert Soak.figures["examples"] >= EXAMPLES // 2


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_what_once_broke(path: Path, audit: PreparedAudit) -> None:
    assert play(path, audit)["examples"] == 1
