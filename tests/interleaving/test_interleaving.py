"""Two actors on two connections, at every boundary of their statements with one preemption."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interleaving.pairs import PAIRS
from tests.interleaving.play import explore

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: The others are explored by ``make interleavings``, with two preemptions.
QUICK = ("hold and hold", "cancel and claim", "settle and report", "claim and claim")


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@pytest.mark.parametrize("name", QUICK)
def test_no_interleaving_with_one_preemption_breaks_anything(name: str) -> None:
    assert name in PAIRS
    assert explore(name, preemptions=1, every=6) > 0
