"""The contest of ``make versus``: 1,000 messages each, in real time."""

from __future__ import annotations

import pytest

from tests.versus import ours
from tests.versus.conftest import Open
from tests.versus.contest import Plan
from tests.versus.figures import played

#: With this seed, five of the hundred requests lose their answer: four resets, one silence.
PLAN = Plan(messages=1_000, chunk=10, workers=4, seed=1, reset=4, silent=1)

pytestmark = pytest.mark.postgres


def test_a_thousand_messages(contest: Open) -> None:
    theirs, mine = contest(PLAN).play()
    played.extend((theirs, mine))

    assert mine.is_clean, "a message was sent twice, was lost, or a cent is unexplained"
    assert ours.faults() == []
