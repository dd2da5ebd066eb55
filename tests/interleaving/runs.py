"""The whole exploration: every pair, every schedule with at most two preemptions."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.interleaving.pairs import PAIRS
from tests.interleaving.play import explore

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PREEMPTIONS = int(os.environ.get("INTERLEAVING_PREEMPTIONS", "2"))
#: Only each N-th schedule; 1 = all of them.
EVERY = int(os.environ.get("INTERLEAVING_EVERY", "1"))
SCHEDULE = os.environ.get("INTERLEAVING_SCHEDULE", "")
#: A file for each pair: how many schedules, and how long they took.
FOLDER = os.environ.get("INTERLEAVING_FOLDER", "")


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@pytest.mark.parametrize("name", PAIRS)
def test_no_interleaving_breaks_anything(name: str) -> None:
    started = time.monotonic()
    count = explore(name, preemptions=PREEMPTIONS, every=EVERY, only=SCHEDULE)
    if FOLDER:
        (Path(FOLDER) / name).write_text(f"{count} {time.monotonic() - started:.0f}")
    assert count
