"""The servers of a run, each started when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp

import pytest

from bulksms import outages
from tests.chaos.servers import Broker, Postgres


class Servers:
    """A database and brokers of our own."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self._folder, self._cleanup = folder, cleanup
        self._brokers: dict[type[Broker], Broker] = {}
        self.database = Postgres(folder / "pg")
        cleanup.callback(self.database.close)

    def broker(self, kind: type[Broker]) -> Broker:
        if kind not in self._brokers:
            self._brokers[kind] = kind(self._folder / kind.name)
            self._cleanup.callback(self._brokers[kind].close)
        return self._brokers[kind]


@pytest.fixture(autouse=True)
def _the_database_is_there() -> Iterator[None]:
    """An outage is remembered by the process: none is left to the next test."""
    yield
    outages.database.ended()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not pytest's folders: PostgreSQL runs as another user, and those are ours alone.
    with TemporaryDirectory(prefix="chaos-") as folder, ExitStack() as cleanup:
        yield Servers(Path(folder), cleanup)


@pytest.fixture
def logs() -> Iterator[Path]:
    """Where the processes write; KEEP=1 leaves it there."""
    folder = Path(mkdtemp(prefix="chaos-logs-"))
    yield folder
    if os.environ.get("KEEP"):
        print(f"logs: {folder}")
    else:
        rmtree(folder)
