"""`make chaos`: storms in a row, in turns on Redis and RabbitMQ. Not part of the suite: minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.conftest import Servers
from tests.chaos.servers import RabbitMQ, Redis
from tests.chaos.storm import STOP_S, WORKERS, Storm
from tests.chaos.world import open_world

RUNS = int(os.environ.get("RUNS") or 1)
FIRST_SEED = int(os.environ.get("SEED") or 1)
MESSAGES = int(os.environ.get("MESSAGES") or 5_000)
#: SICK=1: of its requests the carrier loses a few, or their answers, or drops the connection half
#: way; some reports come three times and before the answer.
SICK = (
    {"name": "loses answers", "match": {"share": 15}, "lose_answer": "reset"},
    {"name": "loses requests", "match": {"share": 5}, "lose_request": {"how": "close", "tries": 1}},
    {"name": "drops", "match": {"share": 5}, "drop_after": {"accepted": 20, "tries": 1}},
    {"name": "reports early", "match": {"share": 5}, "report": {
        "state": "delivered", "copies": 3, "before_answer": True,
    }},
)  # fmt: skip
FAULTS = SICK if os.environ.get("SICK") else ()
SEEDS = range(FIRST_SEED, FIRST_SEED + RUNS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_campaign_ends_by_itself_whatever_falls_over(
    servers: Servers, seed: int, logs: Path
) -> None:
    # Seeds 1 to 4: each broker with each way of being away.
    broker = servers.broker(RabbitMQ if seed // 2 % 2 == 0 else Redis)
    with open_world(logs, servers.database, broker, seed=seed, faults=FAULTS) as world:
        world.start(MESSAGES, WORKERS)
        storm = Storm(world, MESSAGES)
        try:
            storm.rage()
        except AssertionError as error:
            requests = world.deed("look")["requests"]
            said = f"{error}: {world.statuses()}\n{requests}\n{world.complaints()}"
            raise AssertionError(said) from None
        ends = storm.stop_all()
        figures = storm.count()

        assert figures.lost == 0
        assert figures.duplicates == "0 0"
        assert figures.faults == "silent"
        if not FAULTS:
            assert figures.delivered >= 0.99 * MESSAGES
        assert [code for code, _ in ends] == [0] * WORKERS
        assert max(seconds for _, seconds in ends) < STOP_S
