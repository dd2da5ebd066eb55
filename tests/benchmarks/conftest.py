"""The brokers of a run, each started when it is first asked for; and which database it has."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from django.db import connection

from tests.benchmarks import machine
from tests.chaos.servers import RABBITMQ, RabbitMQ, Redis


@pytest.fixture(autouse=True)
def _the_server_is_noted(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("postgres"):
        connection.ensure_connection()
        info = connection.connection.info
        machine.note_server(info.server_version, _shown("fsync"))


def _shown(setting: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        return str(cursor.fetchone()[0])


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    if which("redis-server") is None:
        pytest.skip("there is no redis-server here: apt-get install redis-server")
    with TemporaryDirectory(prefix="bench-") as name, closing(Redis(Path(name) / "redis")) as found:
        yield found


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    if not Path(RABBITMQ).exists():
        pytest.skip("there is no RabbitMQ here: apt-get install rabbitmq-server")
    with (
        TemporaryDirectory(prefix="bench-") as name,
        closing(RabbitMQ(Path(name) / "rabbitmq")) as found,
    ):
        yield found


@pytest.fixture(autouse=True)
def _what_is_loaded_is_frozen() -> Iterator[None]:
    """As in a web process that follows docs/howto/go_live.md: what runs the tests is large."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
