"""Fixtures of the failures: virtual time, a fake carrier, jobs in threads, what a broker gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from bulksms import queues, tasks
from tests.concurrency.conftest import in_background
from tests.crash.conftest import nursery, stage
from tests.virtual import _virtual_time, carrier

__all__ = ["_virtual_time", "carrier", "in_background", "nudges", "nursery", "stage", "take_nudges"]

Job = tuple[object, ...]


@pytest.fixture
def take_nudges(settings: Any) -> Iterator[Callable[[Callable[..., None]], None]]:
    """Put a function in the broker's place: it gets what an actor would be called with."""
    settings.BULKSMS = {**settings.BULKSMS, "WAKE_TIMEOUT_S": 30.0}

    def install(take: Callable[..., None]) -> None:
        def send(*job: object) -> None:
            try:
                take(*job)
            finally:
                connection.close()  # the sender's thread has one of its own

        queues.install(send, (OSError,))
        queues.forget()

    yield install
    queues.install(tasks.send, tasks.FAILURES)
    queues.forget()


@pytest.fixture
def nudges(take_nudges: Callable[[Callable[..., None]], None]) -> list[Job]:
    """Every nudge that went out."""
    taken: list[Job] = []
    take_nudges(lambda *job: taken.append(job))
    return taken
