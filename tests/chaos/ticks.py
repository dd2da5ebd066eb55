"""The tick of real processes: its owner is frozen, the next one killed (`make chaos RUNS=2`)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Servers
from tests.chaos.servers import Redis, wait_for
from tests.chaos.storm import notes
from tests.chaos.world import World, open_world

WORKERS, MOVES_WITHIN_S = 3, 15.0

pytestmark = pytest.mark.skipif(
    int(os.environ.get("RUNS") or 1) < 2, reason="half a minute: make chaos RUNS=2"
)


def strike_owner(world: World, number: signal.Signals) -> float:
    """Strike whoever has the lease; how long until another has it (s)."""
    owner, _ = world.tick()
    started = time.monotonic()
    os.kill(int(owner.split(":")[1]), number)
    wait_for(lambda: world.tick()[0] != owner, "another owner of the tick")
    return time.monotonic() - started


def test_the_tick_moves_when_its_owner_is_frozen_or_killed(servers: Servers, logs: Path) -> None:
    with open_world(logs, servers.database, servers.broker(Redis)) as world:
        world.start(1, WORKERS)
        world.await_workers()
        wait_for(lambda: world.tick()[0], "a tick")

        frozen = strike_owner(world, signal.SIGSTOP)
        killed = strike_owner(world, signal.SIGKILL)

        notes.append(f"tick moved: owner frozen {frozen:.1f} s, killed {killed:.1f} s")
        assert max(frozen, killed) <= MOVES_WITHIN_S
