"""Health for load balancers and monitoring, metrics, and log lines as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client import CollectorRegistry, generate_latest

from bulksms import queues, send_bulk, tasks
from bulksms.logs import JsonFormatter
from bulksms.metrics import BulkSmsCollector
from bulksms.services import health, reconcile
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier
from tests.virtual import _virtual_time

__all__ = ["_virtual_time"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken_broker() -> Iterator[None]:
    def fail() -> None:
        raise ConnectionRefusedError

    queues.install(tasks.send, tasks.FAILURES, fail)
    queues.forget()
    yield
    queues.install(tasks.send, tasks.FAILURES, tasks.find_ping())
    queues.forget()


@pytest.fixture
def database_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(health.connection, "cursor", fail)


def ask(client: Client, path: str) -> tuple[int, Any]:
    answer = client.get(path)
    return answer.status_code, answer.json()


def test_with_database_and_a_beating_tick_all_is_well(client: Client) -> None:
    assert reconcile.take_lease("worker")
    virtual_clock.advance(seconds=2)

    assert ask(client, "/health/") == (200, {
        "status": "ok", "database": {"ok": True}, "broker": {"ok": None},
        "tick": {"ok": True, "age_s": 2.0},
    })  # fmt: skip


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
def test_every_address_answers_with_and_without_a_slash(client: Client, path: str) -> None:
    reconcile.take_lease("worker")

    assert ask(client, path)[0] == ask(client, f"{path}/")[0] == 200
    assert client.post(path).status_code == 405


def test_a_tick_that_stands_still_is_degraded_but_ready(client: Client) -> None:
    reconcile.take_lease("worker")
    virtual_clock.advance(seconds=31)

    status, body = ask(client, "/health/")

    assert (status, body["status"]) == (503, "degraded")
    assert body["tick"] == {"ok": False, "age_s": 31.0}
    assert ask(client, "/health/ready/")[0] == 200


@pytest.mark.usefixtures("broken_broker")
def test_a_broker_that_is_away_is_degraded_but_requests_are_welcome(client: Client) -> None:
    reconcile.take_lease("worker")

    status, body = ask(client, "/health/")

    assert (status, body["status"], body["broker"]) == (503, "degraded", {"ok": False})
    assert ask(client, "/health/ready/")[0] == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_away")
def test_without_the_database_nothing_is_ready_but_the_process_lives(client: Client) -> None:
    status, body = ask(client, "/health/")

    assert (status, body["status"]) == (503, "down")
    assert body["tick"] == {"ok": None, "age_s": None}
    assert ask(client, "/health/ready/")[0] == 503
    assert ask(client, "/health/live/")[0] == 200


def test_an_answer_about_health_is_never_kept(client: Client) -> None:
    assert "no-store" in client.get("/health/live/")["Cache-Control"]


def test_metrics_tell_what_waits(client: Client) -> None:
    send_bulk(recipients=kenyan_numbers(7), message="Hi", organisation=make_organisation())
    reconcile.take_lease("worker")
    virtual_clock.advance(seconds=5)
    registry = CollectorRegistry()
    registry.register(BulkSmsCollector())

    told = generate_latest(registry).decode().splitlines()

    assert 'bulksms_messages{state="queued"} 7.0' in told
    assert 'bulksms_queued{carrier="main"} 7.0' in told
    assert 'bulksms_oldest_due_seconds{carrier="main"} 5.0' in told
    assert "bulksms_tick_age_seconds 5.0" in told
    assert "bulksms_database_up 1.0" in told


def test_a_log_line_is_json_with_its_event_and_ids() -> None:
    record = logging.makeLogRecord(
        {"name": "bulksms.x", "levelname": "INFO", "msg": "asked %s", "args": ("main",),
         "module": "dispatch", "funcName": "record", "submission": "01a2"}
    )  # fmt: skip

    line = json.loads(JsonFormatter().format(record))

    assert line["event"] == "dispatch.record"
    assert line["message"] == "asked main"
    assert line["submission"] == "01a2"


def test_a_campaign_is_logged_without_a_number_a_text_or_a_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "bulksms"), fake_carrier() as house:
        send_bulk(
            recipients=kenyan_numbers(3), message="Secret words", organisation=make_organisation()
        )
        house.run()

    lines = "\n".join(JsonFormatter().format(record) for record in caplog.records)
    assert lines
    assert "254712" not in lines
    assert "Secret" not in lines
