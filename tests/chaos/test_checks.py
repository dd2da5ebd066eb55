"""System checks of a production host's settings: an id and a hint each."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from bulksms import brokers, checks


def told(settings: Any, broker: dict[str, Any]) -> list[str]:
    settings.DRAMATIQ_BROKER = broker
    found = checks.check_broker_options() + checks.check_broker_survives()
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


def with_middleware(broker: str, *names: str, **options: Any) -> dict[str, Any]:
    return {"BROKER": broker, "OPTIONS": options, "MIDDLEWARE": [*brokers.MIDDLEWARE, *names]}


STOCK_REDIS = "dramatiq.brokers.redis.RedisBroker"
STOCK_RABBITMQ = "dramatiq.brokers.rabbitmq.RabbitmqBroker"


@pytest.mark.parametrize(
    ("broker", "ids"),
    [
        (brokers.configure_redis("redis://x"), []),
        (brokers.configure_rabbitmq("amqp://x"), []),
        (with_middleware(STOCK_REDIS, url="redis://x"), ["bulksms.W030"]),
        (with_middleware(STOCK_REDIS, maintenance_chance=100_000), []),
        (with_middleware(STOCK_RABBITMQ), ["bulksms.W030"]),
        (with_middleware(STOCK_RABBITMQ, confirm_delivery=True), []),
        (with_middleware("x", "django_dramatiq.middleware.AdminMiddleware"), ["bulksms.W031"]),
        ({"BROKER": "x", "MIDDLEWARE": []}, ["bulksms.W032"]),
        (with_middleware("dramatiq.brokers.stub.StubBroker"), ["bulksms.W033"]),
    ],
)
def test_a_broker_is_judged_by_its_settings(
    settings: Any, broker: dict[str, Any], ids: list[str]
) -> None:
    assert told(settings, broker) == ids


@pytest.mark.parametrize(("lease_s", "ids"), [(10.0, []), (1.5, ["bulksms.E034"])])
def test_the_ticks_lease_outlasts_two_beats(settings: Any, lease_s: float, ids: list[str]) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "TICK_S": 1.0, "TICK_LEASE_S": lease_s}

    assert [message.id for message in checks.check_tick()] == ids


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(("setting", "ids"), [("0", ["bulksms.W035"]), ("10s", [])])
def test_transactions_of_frozen_processes_must_end(setting: str, ids: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{setting}'")

    assert [message.id for message in checks.check_idle_transactions()] == ids
