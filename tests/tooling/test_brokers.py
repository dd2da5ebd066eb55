"""The shipped broker settings: finite time-outs, confirmed publishing, one line per outage."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from django.utils.module_loading import import_string
from dramatiq.errors import ConnectionClosed

from bulksms import brokers
from bulksms.brokers import quiet
from bulksms.brokers.rabbitmq import RabbitmqBroker, with_parameters
from bulksms.brokers.redis import RedisBroker
from bulksms.outages import Outage

REDIS = "redis://127.0.0.1:{}/0"
RABBITMQ = "amqp://guest:guest@127.0.0.1:{}/%2f"


@pytest.fixture(params=["closed", "silent"])
def dead_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that refuses connections, or one that takes them and never says a word."""
    server = socket.create_server(("127.0.0.1", 0), backlog=50)
    port = server.getsockname()[1]
    if request.param == "closed":
        server.close()
    yield port
    server.close()


@pytest.fixture
def redis_broker(dead_port: int) -> RedisBroker:
    return RedisBroker(url=REDIS.format(dead_port), answer_timeout_s=0.1)


@pytest.mark.parametrize(
    ("configure", "url"),
    [(brokers.configure_redis, REDIS), (brokers.configure_rabbitmq, RABBITMQ)],
)
def test_one_line_of_settings_makes_a_broker(
    configure: Callable[[str], dict[str, Any]], url: str
) -> None:
    settings = configure(url.format(1))

    made = import_string(settings["BROKER"])(middleware=[], **settings["OPTIONS"])

    assert isinstance(made, dramatiq.Broker)
    assert [import_string(path) for path in settings["MIDDLEWARE"]]


def test_redis_looks_for_dead_workers_soon_and_often() -> None:
    broker = RedisBroker(url=REDIS.format(1))

    assert broker.heartbeat_timeout == 15_000
    assert broker.maintenance_chance == 100_000


def test_redis_gives_up_a_silent_socket() -> None:
    broker = RedisBroker(url=REDIS.format(1))

    options = broker.client.connection_pool.connection_kwargs

    assert 0 < options["socket_timeout"] < 10
    assert 0 < options["socket_connect_timeout"] < 10


def test_what_a_url_says_wins() -> None:
    broker = RedisBroker(url=REDIS.format(1) + "?socket_timeout=7")

    assert broker.client.connection_pool.connection_kwargs["socket_timeout"] == 7
    assert "heartbeat=30" in with_parameters(RABBITMQ.format(1) + "?heartbeat=30")


@pytest.mark.parametrize("command", ["fetch", "ack", "requeue", "enqueue"])
def test_every_loss_of_redis_is_one_that_dramatiq_survives(
    redis_broker: RedisBroker, command: str
) -> None:
    """A time-out is none of redis-py's connection errors: it would end the consumer's thread."""
    with pytest.raises(ConnectionClosed):
        getattr(redis_broker, f"do_{command}")("bulksms", "an-id")


def test_every_loss_of_rabbitmq_is_one_that_dramatiq_survives(dead_port: int) -> None:
    broker = RabbitmqBroker(url=RABBITMQ.format(dead_port) + "?stack_timeout=0.2")

    with pytest.raises(ConnectionClosed):
        broker.consume("bulksms")
    with pytest.raises(ConnectionClosed):
        broker.ping()


def test_rabbitmq_confirms_and_has_heartbeats() -> None:
    broker = RabbitmqBroker(url=RABBITMQ.format(1))

    (parameters,) = broker.parameters
    assert broker.confirm_delivery
    assert parameters.heartbeat == 10
    assert parameters.connection_attempts == 1
    assert parameters.blocked_connection_timeout == 5


def test_several_rabbitmqs_get_the_same_time_outs() -> None:
    broker = RabbitmqBroker(url=";".join([RABBITMQ.format(1), RABBITMQ.format(2)]))

    assert [(p.port, p.heartbeat) for p in broker.parameters] == [(1, 10), (2, 10)]


def test_a_broker_that_is_away_is_told_of_once(
    redis_broker: RedisBroker, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionClosed):
            redis_broker.ping()

    assert [record.event for record in caplog.records] == ["broker.lost"]  # type: ignore[attr-defined]


def test_its_return_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("bulksms.test"), "thing", "waiting")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            outage.began(TimeoutError())
        for _ in range(3):
            outage.ended()
        outage.began(TimeoutError())

    events = [record.event for record in caplog.records]  # type: ignore[attr-defined]
    assert events == ["thing.lost", "thing.back", "thing.lost"]


def test_the_consumers_own_lines_about_it_are_dropped_and_no_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    quiet.hush("a-queue")
    logger = logging.getLogger(quiet.CONSUMER_THREAD.format("a-queue"))

    logger.critical("Consumer encountered a connection error: %s", "x")
    logger.critical("Consumer encountered an unexpected error.")

    assert [record.message for record in caplog.records] == [
        "Consumer encountered an unexpected error."
    ]
