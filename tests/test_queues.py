"""wake: a nudge after the commit that never fails and never holds up its caller."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import dramatiq
import pytest
from django.db import transaction
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from bulksms import conf, queues, send_bulk, states, tasks
from bulksms.models import Campaign, Message
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

BROKEN_BROKERS = [
    pytest.param(lambda port: RedisBroker(url=f"redis://127.0.0.1:{port}"), id="redis"),
    pytest.param(lambda port: RabbitmqBroker(url=f"amqp://127.0.0.1:{port}"), id="rabbitmq"),
]


@pytest.fixture
def nudges() -> Iterator[list[tuple[object, ...]]]:
    """What a broker would get."""
    taken: list[tuple[object, ...]] = []
    queues.install(lambda *job: taken.append(job), (OSError,))
    queues.forget()
    yield taken
    queues.install(tasks.send, tasks.FAILURES)
    queues.forget()


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
def use_broker() -> Iterator[Callable[[dramatiq.Broker], None]]:
    before = dramatiq.get_broker()

    def use(broker: dramatiq.Broker) -> None:
        name, queue = queues.DISPATCH, tasks.QUEUE
        dramatiq.actor(tasks.run_dispatch.fn, actor_name=name, queue_name=queue, broker=broker)
        dramatiq.set_broker(broker)
        queues.forget()

    yield use
    dramatiq.set_broker(before)
    queues.forget()


@pytest.mark.django_db(transaction=True)
def test_a_nudge_goes_out_after_the_commit_only(nudges: list[tuple[object, ...]]) -> None:
    organisation = make_organisation()

    with transaction.atomic():
        send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)
        before_commit = list(nudges)

    assert before_commit == []
    assert nudges == [(queues.DISPATCH, "main")]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_of_a_savepoint_nudges_nobody_and_leaves_nothing(
    nudges: list[tuple[object, ...]],
) -> None:
    organisation = make_organisation()

    with transaction.atomic():  # noqa: SIM117 - the outer one commits, the inner one does not
        with transaction.atomic():
            send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)
            transaction.set_rollback(True)
    assert nudges == []
    assert not Campaign.objects.exists()
    assert not Message.objects.exists()


@pytest.mark.parametrize("make_broker", BROKEN_BROKERS)
@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_costs_less_than_a_second_and_the_messages_are_sent_all_the_same(
    make_broker: Callable[[int], dramatiq.Broker],
    dead_port: int,
    use_broker: Callable[[dramatiq.Broker], None],
) -> None:
    organisation = make_organisation()
    started = time.monotonic()
    send_bulk(recipients=kenyan_numbers(10), message="Hi", organisation=organisation)
    normally = time.monotonic() - started

    use_broker(make_broker(dead_port))
    started = time.monotonic()
    with transaction.atomic():
        send_bulk(recipients=kenyan_numbers(10), message="Hi", organisation=organisation)
    with_broken_broker = time.monotonic() - started

    assert with_broken_broker < normally + 1
    with fake_carrier() as house:
        house.run(seconds=10)
        assert house.total_accepted == 20
    assert not Message.objects.exclude(status=states.SENT).exists()


@pytest.mark.django_db(transaction=True)
def test_after_a_failure_nothing_is_tried_for_a_while() -> None:
    tries: list[tuple[object, ...]] = []

    def fail(*job: object) -> None:
        tries.append(job)
        raise ConnectionRefusedError

    queues.install(fail, (OSError,))
    queues.forget()
    try:
        for _ in range(5):
            queues.wake("anything")
    finally:
        queues.install(tasks.send, tasks.FAILURES)
        queues.forget()

    assert len(tries) == 1
    assert conf.settings.WAKE_PAUSE_S > 1
