"""A short soak with a fixed budget, and every saved regression once more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.machine import Soak
from tests.soak.play import play
from tests.soak.watch import PreparedAudit

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("BULKSMS_SOAK_EXAMPLES", "20"))
PLANS = sorted((Path(__file__).parent / "plans").glob("*.json"))


def test_nothing_breaks_on_a_few_bad_days(audit: PreparedAudit) -> None:
    budget = settings(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, derandomize=True,
        database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip

    Soak.figures.clear()
    run_state_machine_as_test(Soak, settings=budget)

    assert Soak.figures["examples"] >= EXAMPLES // 2
    assert Soak.figures["captured"] > 0


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_what_once_broke(path: Path, audit: PreparedAudit) -> None:
    assert play(path, audit)["examples"] == 1
