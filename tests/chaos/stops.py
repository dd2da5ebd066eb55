"""Workers that are told to stop while they work (part of `make chaos`)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bulksms import states
from tests.chaos.conftest import Servers
from tests.chaos.servers import Broker, RabbitMQ, Redis, wait_for
from tests.chaos.storm import notes
from tests.chaos.world import World, open_world

MESSAGES, WORKERS, STOPS = 2_000, 2, 2
#: The short pass takes RabbitMQ; several runs take both brokers.
BROKERS = (RabbitMQ, Redis) if int(os.environ.get("RUNS") or 1) > 1 else (RabbitMQ,)
STOP_S = 30.0
#: Under way for a second or two, so that every stop meets requests in flight.
LATENCY = (1.0, 2.0)


def requests_in_flight(world: World) -> int:
    return world.count("bulksms_submission", "status IN ('claimed', 'submitting')")


def stop_all(world: World) -> float:
    """SIGTERM to every worker at once; how long the last one took (s)."""
    started = time.monotonic()
    for worker in world.workers:
        worker.signal(signal.SIGTERM)
    codes = [worker.wait(STOP_S) for worker in world.workers]
    assert codes == [0] * len(codes), world.complaints()
    return time.monotonic() - started


@pytest.mark.parametrize("kind", BROKERS)
def test_a_stop_finishes_what_is_in_flight_and_gives_back_the_rest(
    servers: Servers, kind: Callable[[Path], Broker], logs: Path
) -> None:
    broker = servers.broker(kind)  # type: ignore[arg-type]
    with open_world(logs, servers.database, broker, latency=LATENCY, max_batch=50) as world:
        world.start(MESSAGES, WORKERS)
        for _ in range(STOPS):
            world.await_workers()
            wait_for(lambda: requests_in_flight(world) > 1, "several requests in flight")

            seconds = stop_all(world)

            found = world.statuses()
            notes.append(f"SIGTERM on {broker.name}: down after {seconds:.1f} s, {dict(found)}")
            assert seconds < STOP_S
            assert requests_in_flight(world) == 0
            assert found[states.UNKNOWN] == found[states.SENDING] == 0
            world.workers = [world.start_worker() for _ in range(WORKERS)]
        wait_for(world.is_finished, "the campaign's end", 120)
        world.await_workers()
        stop_all(world)

        assert world.statuses() == {states.DELIVERED: MESSAGES}
        assert world.oracle()["duplicates"] == {"by_reference": 0, "by_content": 0}
        assert world.deed("look")["faults"] == []
