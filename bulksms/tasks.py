"""The actors: a line around a service each. A message is a nudge; every actor may run twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from uuid import UUID

import dramatiq
from django.db import InterfaceError, OperationalError, connection
from dramatiq.errors import DramatiqError

from bulksms import conf, outages, queues
from bulksms.services import dispatch, reports, resolving

QUEUE = queues.QUEUE


def _options() -> dict[str, Any]:
    """What the host's middleware understands: dramatiq refuses options that nobody reads."""
    wanted = {"max_retries": 0, "time_limit": int(conf.settings.TIME_LIMIT_S * 1000)}
    known = dramatiq.get_broker().actor_options
    return {"queue_name": QUEUE} | {name: wanted[name] for name in wanted if name in known}


_OPTIONS = _options()


@contextmanager
def _surviving() -> Iterator[None]:
    """A database that is away is told of once, not for every nudge: the tick finds the work again.

    What a reachable database complains of (a deadlock, a lock time-out) is raised.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if not outages.is_lost(error):
            raise
        outages.database.began(error)
        connection.close()
    else:
        outages.database.ended()


@dramatiq.actor(actor_name=queues.DISPATCH, **_OPTIONS)
def run_dispatch(carrier: str) -> None:
    """The carrier has work."""
    with _surviving():
        dispatch.run_once(carrier)


@dramatiq.actor(actor_name=queues.APPLY_REPORTS, **_OPTIONS)
def apply_reports() -> None:
    """Reports are stored."""
    with _surviving():
        reports.apply_once()


@dramatiq.actor(actor_name=queues.QUERY, **_OPTIONS)
def query_submission(submission_id: str) -> None:
    """Unknown messages may be asked about."""
    with _surviving():
        resolving.query_once(UUID(submission_id))


def _client_errors() -> list[type[Exception]]:
    """The base errors of the installed broker clients; dramatiq lets some of them through."""
    found = []
    for module, name in (
        ("redis.exceptions", "RedisError"),
        ("pika.exceptions", "AMQPError"),
        ("pika.adapters.utils.connection_workflow", "AMQPConnectorException"),
    ):
        with suppress(ImportError):
            found.append(getattr(import_module(module), name))
    return found


#: How handing over a nudge may fail.
FAILURES: tuple[type[Exception], ...] = (DramatiqError, OSError, *_client_errors())


def send(name: object, *args: object) -> None:
    """Hand a nudge to the configured broker."""
    dramatiq.get_broker().get_actor(str(name)).send(*args)


def find_ping() -> Callable[[], None] | None:
    """How to ask the configured broker whether it is there; None for one that cannot tell."""
    broker = dramatiq.get_broker()
    return getattr(broker, "ping", None) or getattr(getattr(broker, "client", None), "ping", None)


queues.install(send, FAILURES, find_ping())
