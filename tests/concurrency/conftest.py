"""Real threads on a real PostgreSQL: each thread has a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connection

from tests.harness import FakeCarrier, fake_carrier

T = TypeVar("T")


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run ``jobs`` at the same moment, a thread each; their results, or what they raised."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T | Exception:
        barrier.wait(30)
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with fake_carrier() as house:
        yield house


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Start a job in a thread with its own connection; it must have ended when the test ends."""
    threads: list[threading.Thread] = []

    def start(job: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                job()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
