"""The extras [redis] and [rabbitmq] bring what dramatiq needs: a message makes the journey."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def namespace() -> str:
    """A name that no other run uses on this server."""
    return f"bulksms-test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def deliver(namespace: str) -> Callable[[dramatiq.Broker], list[str]]:
    """Send one message through the broker and give back what a worker received."""

    def through(broker: dramatiq.Broker) -> list[str]:
        received: list[str] = []
        actor = dramatiq.actor(
            received.append, broker=broker, queue_name=namespace, actor_name="receive"
        )
        worker = dramatiq.Worker(broker, queues={namespace}, worker_threads=1, worker_timeout=100)
        worker.start()
        try:
            actor.send("habari")
            broker.join(namespace, timeout=20_000)
            worker.join()
        finally:
            worker.stop()
        return received

    return through


@pytest.fixture
def redis_broker(redis_url: str, namespace: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(url=redis_url, namespace=namespace)
    yield broker
    for key in broker.client.scan_iter(f"{namespace}*"):
        broker.client.delete(key)
    broker.close()


@pytest.fixture
def rabbitmq_broker(rabbitmq_url: str, namespace: str) -> Iterator[RabbitmqBroker]:
    broker = RabbitmqBroker(url=rabbitmq_url, confirm_delivery=True)
    yield broker
    for suffix in ("", ".DQ", ".XQ"):
        broker.channel.queue_delete(f"{namespace}{suffix}")
    broker.close()


@pytest.mark.redis
def test_a_message_goes_through_redis(redis_broker, deliver) -> None:
    assert deliver(redis_broker) == ["habari"]


@pytest.mark.rabbitmq
def test_a_message_goes_through_rabbitmq(rabbitmq_broker, deliver) -> None:
    assert deliver(rabbitmq_broker) == ["habari"]
