"""The whole life of 100,000 messages in real processes, beside the same in bare SQL.

Accepted over HTTP in calls of 10,000, sent over HTTP to the simulator, which takes 0 ms, reported
back over HTTP, settled; until every campaign is finished.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulksms.services import audit
from tests.benchmarks import bare
from tests.benchmarks.cpu import wall
from tests.benchmarks.installation import open_installation
from tests.benchmarks.life import judge, live
from tests.benchmarks.table import Row, add
from tests.chaos.servers import Broker
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

MESSAGES = int(os.environ.get("BULKSMS_BENCH_MESSAGES", "100000"))
WARM_UP = 2_000
#: Of each; their medians count.
ROUNDS = 3


def beside_bare_sql(folder: Path, broker: Broker) -> Row:
    """Both on this database, one after the other; the processes are gone by then."""
    key, numbers = make_key(make_organisation(10**15)), kenyan_numbers(WARM_UP + ROUNDS * MESSAGES)
    starts = range(WARM_UP, len(numbers), MESSAGES)
    with open_installation(folder, broker) as installation:
        live(installation, key, numbers[:WARM_UP])
        rounds = [live(installation, key, numbers[start : start + MESSAGES]) for start in starts]
        judge(installation, len(numbers))
    lived = sorted(rounds, key=lambda one: one.wall_s)[ROUNDS // 2]
    assert list(audit.faults()) == []
    with bare.database() as plain:
        columns, rows = bare.rows_of(plain, "bulksms_message", "carrier = %s", "main")
        fresh = bare.as_new(columns, rows[-MESSAGES:])
        baseline = [bare.whole_life(plain, columns, fresh) for _ in range(ROUNDS)]
    return Row(
        f"{MESSAGES:,} accepted, sent, reported, settled; {broker.name}", lived.wall_s,
        "one COPY, claim, result, report, update in 500s", wall(baseline), 2.5,
        f"{MESSAGES / lived.wall_s:,.0f} messages/s, duplicates 0, audit silent",
        cpu_ratio=lived.cpu_s / min(one.cpu_s for one in baseline),
        cpu_us=lived.cpu_us,
    )  # fmt: skip


def test_the_whole_life_with_redis(tmp_path: Path, redis_server: Broker) -> None:
    add(beside_bare_sql(tmp_path, redis_server))


def test_the_whole_life_with_rabbitmq(tmp_path: Path, rabbitmq_server: Broker) -> None:
    add(beside_bare_sql(tmp_path, rabbitmq_server))
