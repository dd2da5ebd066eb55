"""Our brokers on real servers: a dead worker's nudges go to another (make test-brokers)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import closing

import dramatiq
import pytest

from bulksms.brokers.rabbitmq import RabbitmqBroker
from bulksms.brokers.redis import RedisBroker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PATIENCE_S = 20.0


@pytest.fixture
def queue() -> str:
    """A name that no other run uses on this server."""
    return f"bulksms-test-{uuid.uuid4().hex[:12]}"


def send_one(broker: dramatiq.Broker, queue: str) -> None:
    dramatiq.actor(lambda: None, broker=broker, queue_name=queue, actor_name="nudge").send()


def next_message(broker: dramatiq.Broker, queue: str) -> dramatiq.MessageProxy:
    """What a new worker gets first."""
    consumer = broker.consume(queue, prefetch=1, timeout=50)
    until = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < until:
            if message := next(consumer):
                return message
    finally:
        consumer.close()
    raise AssertionError("nothing came")


@pytest.mark.redis
def test_redis_gives_a_dead_workers_message_to_another(redis_url: str, queue: str) -> None:
    def worker() -> RedisBroker:
        return RedisBroker(url=redis_url, namespace=queue, heartbeat_timeout=500)

    dead = worker()
    send_one(dead, queue)
    taken = next_message(dead, queue)

    assert next_message(worker(), queue).message_id == taken.message_id
    worker().do_purge(queue)


@pytest.mark.rabbitmq
def test_rabbitmq_gives_a_dead_workers_message_to_another(rabbitmq_url: str, queue: str) -> None:
    with closing(RabbitmqBroker(url=rabbitmq_url)) as dead:
        send_one(dead, queue)
        taken = next_message(dead, queue)

    with closing(RabbitmqBroker(url=rabbitmq_url)) as other:
        assert next_message(other, queue).message_id == taken.message_id
        for name in (queue, f"{queue}.DQ", f"{queue}.XQ"):
            other.channel.queue_delete(name)


@pytest.mark.redis
def test_redis_answers_a_ping(redis_url: str) -> None:
    assert_answers(RedisBroker(url=redis_url).ping)


@pytest.mark.rabbitmq
def test_rabbitmq_answers_a_ping_also_after_its_connection_was_closed(rabbitmq_url: str) -> None:
    with closing(RabbitmqBroker(url=rabbitmq_url)) as broker:
        broker.ping()
        broker.connection.close()

        assert_answers(broker.ping)


def assert_answers(ping: Callable[[], None]) -> None:
    """It would raise ConnectionClosed."""
    assert ping() is None  # type: ignore[func-returns-value]
