"""The whole life of a message beside 5,000,000 finished ones, and on empty tables.

``BULKSMS_BENCH_FINISHED=200000`` runs the same with a shorter history.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from bulksms import clock
from bulksms.services import audit
from tests.benchmarks.installation import Installation, open_installation
from tests.benchmarks.life import Lived, judge, live
from tests.benchmarks.table import Row, add
from tests.chaos.servers import Broker
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.scale import history

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

FINISHED = int(os.environ.get("BULKSMS_BENCH_FINISHED", "5000000"))
MESSAGES = 20_000
ROUNDS = 3
#: What the made-up past does not get right: its wallets' chains, and a retry's first attempt.
OF_THE_PAST = {"wallet = its entries", "ledger chain without a gap", "charge fits status"}


def test_the_whole_life_after_5000000_finished_messages(
    tmp_path: Path, redis_server: Broker
) -> None:
    owners = make_organisation(10**15), make_organisation(10**15)
    key = make_key(owners[0])
    with open_installation(tmp_path, redis_server) as installation:
        before = rounds(installation, key)
    assert list(audit.faults()) == []
    history.empty()
    history.grow(FINISHED, owners, clock.now())
    history.analyse()
    with open_installation(tmp_path, redis_server) as installation:
        after = rounds(installation, key)
    assert {fault.check for fault in audit.faults()} <= OF_THE_PAST
    history.empty()
    add(
        Row(
            f"{MESSAGES:,} of them after {FINISHED:,} finished", wall(after),
            "the same on empty tables", wall(before), 1.2,
            f"{MESSAGES / wall(after):,.0f} messages/s, duplicates 0",
            cpu_ratio=sum(cpu_us(after).values()) / sum(cpu_us(before).values()),
            cpu_us=cpu_us(after),
        )
    )  # fmt: skip


def rounds(installation: Installation, key: str) -> list[Lived]:
    """ROUNDS, after one that warms everything up; the planner knows the tables, small or large."""
    numbers = kenyan_numbers((ROUNDS + 1) * MESSAGES)
    parts = [numbers[start : start + MESSAGES] for start in range(0, len(numbers), MESSAGES)]
    live(installation, key, parts[0])
    history.analyse()
    lived = [live(installation, key, part) for part in parts[1:]]
    judge(installation, len(numbers))
    return lived


def wall(lived: Sequence[Lived]) -> float:
    return median(one.wall_s for one in lived)


def cpu_us(lived: Sequence[Lived]) -> dict[str, float]:
    """Each group's least: what else ran can only have added to the others."""
    return {name: min(one.cpu_us[name] for one in lived) for name in lived[0].cpu_us}
