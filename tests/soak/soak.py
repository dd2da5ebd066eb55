"""The long run: fresh seeds until the time is over (``make soak MINUTES=10``)."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.soak import figures
from tests.soak.examples import play, shrink, walk
from tests.soak.machine import FAILURE
from tests.soak.watch import PreparedAudit

#: Deeds of one example.
STEPS = 40

SEED = int(os.environ.get("SOAK_SEED", "1"))
PARTS = int(os.environ.get("SOAK_PARTS", "1"))
SECONDS = 60 * float(os.environ.get("SOAK_MINUTES", "1"))
FOLDER = Path(os.environ.get("SOAK_FOLDER", "."))
PLAN = os.environ.get("SOAK_PLAN", "")
SHRINK = bool(os.environ.get("SOAK_SHRINK", ""))


@pytest.mark.skipif(bool(PLAN), reason="a plan is played instead")
@pytest.mark.parametrize("part", range(PARTS))
def test_soak(part: int, audit: PreparedAudit) -> None:
    found: Counter[str] = Counter()
    started, seed = time.monotonic(), SEED + part
    failure = FAILURE.with_stem(f"{FAILURE.stem}-{part}") if part else FAILURE
    while time.monotonic() - started < SECONDS:
        found += walk(seed, STEPS, audit, failure)
        seed += PARTS
    figures.write(found, FOLDER / f"part-{part}.json")


@pytest.mark.skipif(not PLAN, reason="no plan is given: --plan FILE")
def test_plan(audit: PreparedAudit) -> None:
    if SHRINK:
        shrink(Path(PLAN), audit)
    play(Path(PLAN), audit)
