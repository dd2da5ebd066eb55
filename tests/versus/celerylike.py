"""Celery's semantics, as far as a retrying task needs them, on a table of PostgreSQL.

What is modelled, with Celery's names and defaults:

- ``acks_late`` with ``task_reject_on_worker_lost``: a message is acknowledged after its task has
  run. A delivery holds a lock on its row; a worker that dies takes its connection along, the lock
  is gone and another worker gets the message, at once, as from RabbitMQ.
- ``autoretry_for=(Exception,)``, ``max_retries``, ``retry_backoff``, ``retry_jitter``: whatever a
  task raises publishes its message again, due after a random part of 1, 2, 4, ... seconds.

Nothing is made worse than it is there: no delivery is lost, and no visibility time-out ends early.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

POLL_S = 0.05
RETRY_BACKOFF_MAX_S = 600
SCHEMA = """
CREATE TABLE versus_queue (
    id bigserial PRIMARY KEY, task text NOT NULL, kwargs jsonb NOT NULL,
    retries int NOT NULL, eta timestamptz NOT NULL
)
"""
_PUBLISH = (
    "INSERT INTO versus_queue (task, kwargs, retries, eta)"
    " VALUES (%s, %s, %s, now() + make_interval(secs => %s))"
)
_DELIVER = (
    "SELECT id, task, kwargs, retries FROM versus_queue WHERE eta <= now()"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A function that workers run."""

    run: Callable[..., None]
    max_retries: int
    #: Called with the task's arguments once its retries are used up.
    on_failure: Callable[..., None]

    def delay(self, **kwargs: Any) -> None:
        """Publish it."""
        with connection.cursor() as cursor:
            cursor.execute(_PUBLISH, [self.run.__name__, json.dumps(kwargs), 0, 0])


_tasks: dict[str, Task] = {}


def shared_task(*, max_retries: int, on_failure: Callable[..., None]) -> Callable[..., Task]:
    """Make a task of a function: retried on any exception, acknowledged late."""

    def decorate(function: Callable[..., None]) -> Task:
        return _tasks.setdefault(function.__name__, Task(function, max_retries, on_failure))

    return decorate


def countdown_s(retries: int) -> int:
    """Celery's ``get_exponential_backoff_interval`` with full jitter."""
    return random.randrange(min(RETRY_BACKOFF_MAX_S, 2**retries) + 1)


def is_empty() -> bool:
    """Whether nothing waits and nothing is being worked on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM versus_queue)")
        return bool(cursor.fetchone()[0])


def work() -> None:
    """A worker's loop, until it is killed."""
    with broker() as line:
        while True:
            if not _consume(line):
                time.sleep(POLL_S)


def broker() -> psycopg.Connection[Any]:
    """A connection of its own: the task's transactions are not the delivery's."""
    settings = connection.get_connection_params()
    wanted = ("host", "port", "dbname", "user", "password")
    return psycopg.connect(**{name: settings[name] for name in wanted if settings.get(name)})


def _consume(line: psycopg.Connection[Any]) -> bool:
    """Take one message, run its task, then acknowledge; whether there was one."""
    with line.transaction():
        found = line.execute(_DELIVER).fetchone()
        if found is None:
            return False
        id_, name, kwargs, retries = found
        _run(line, name, kwargs, retries)
        line.execute("DELETE FROM versus_queue WHERE id = %s", [id_])
    return True


def _run(line: psycopg.Connection[Any], name: str, kwargs: Mapping[str, Any], retries: int) -> None:
    task = _tasks[name]
    try:
        task.run(**kwargs)
    except Exception:  # noqa: BLE001 - autoretry_for=(Exception,)
        if retries >= task.max_retries:
            task.on_failure(**kwargs)
            return
        again = [name, json.dumps(kwargs), retries + 1, countdown_s(retries)]
        line.execute(_PUBLISH, again)
