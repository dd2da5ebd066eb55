"""Where the time of a message goes, layer by layer, in one process with nothing else to do.

No row of the table: what is measured stands beside nothing. The steps are the engine's own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from bulksms.models import Message
from bulksms.services import dispatch, reports
from tests.benchmarks.cpu import backend
from tests.benchmarks.table import SIZES, Layer, add_layers
from tests.benchmarks.test_bench_reports import CARRIERS, TOKEN, report_bodies
from tests.benchmarks.work import RECIPIENTS, TEXT
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import fake_carrier

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 5
TABLES = ("bulksms_message", "bulksms_report")


class Stopwatch:
    """Processor time of this process and of its backend, by layer."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}
        self._schedule = Path(f"/proc/{backend()}/schedstat")

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        python_s, database_s = time.process_time(), self._database_s()
        yield
        sums = self.spent.setdefault(name, [0.0, 0.0])
        sums[0] += time.process_time() - python_s
        sums[1] += self._database_s() - database_s

    def around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.layer(name):
                return step(*args, **kwargs)

        return timed

    def _database_s(self) -> float:
        return int(self._schedule.read_text(encoding="ascii").split()[0]) / 1e9


def test_the_layers_of_a_message(client: Client, settings: Any, monkeypatch: Any) -> None:
    settings.BULKSMS = {"CARRIERS": CARRIERS}
    key = make_key(make_organisation(10**15))
    body = json.dumps({"recipients": kenyan_numbers(RECIPIENTS), "message": TEXT})
    live(client, key, body, Stopwatch())  # warm
    watch = Stopwatch()
    for name, step in (
        ("claim", "claim"), ("begin", "begin"), ("ask the carrier", "submit"), ("record", "record")
    ):  # fmt: skip
        monkeypatch.setattr(dispatch, step, watch.around(name, getattr(dispatch, step)))
    stored, written = stored_bytes(), wal_bytes()
    laps = []
    for _ in range(ROUNDS):
        watch.spent = {}
        live(client, key, body, watch)
        laps.append(watch.spent)

    assert Message.objects.filter(status="delivered").count() == (1 + ROUNDS) * RECIPIENTS
    add_layers(Layer(name, *least_us(laps, name)) for name in watch.spent)
    SIZES["stored"] = (stored_bytes() - stored) / (ROUNDS * RECIPIENTS)
    SIZES["wal"] = (wal_bytes() - written) / (ROUNDS * RECIPIENTS)


def least_us(laps: Sequence[Mapping[str, Sequence[float]]], name: str) -> tuple[float, float]:
    """Of a message, in the round that took the least: what else ran can only have added."""
    python_s, database_s = min((lap[name] for lap in laps), key=sum)
    return python_s / RECIPIENTS * 1e6, database_s / RECIPIENTS * 1e6


def stored_bytes() -> int:
    return sum(asked(f"SELECT pg_total_relation_size('{name}')") for name in TABLES)


def wal_bytes() -> int:
    return asked("SELECT pg_current_wal_lsn() - '0/0'")


def asked(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def live(client: Client, key: str, body: str, watch: Stopwatch) -> None:
    """One campaign from its request to its last report."""
    headers = {"authorization": f"Bearer {key}"}
    with watch.layer("request"):
        answer = client.post(
            "/v1/sms/send-bulk/", body, content_type="application/json", headers=headers
        )
    campaign = UUID(json.loads(answer.content)["campaign_id"])
    with fake_carrier(1, [{"report": False}]):
        while dispatch.run_once("main"):
            pass
    for reported in list(report_bodies(campaign)):
        with watch.layer("store reports"):
            client.post(f"/callbacks/main/{TOKEN}/", reported, content_type="application/json")
    with watch.layer("apply reports"):
        while reports.apply_once():
            pass
