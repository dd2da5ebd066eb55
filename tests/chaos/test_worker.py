"""The worker process: what it refuses, notices, how it stops; and outages of the database."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError

from bulksms import outages, tasks
from bulksms.management.commands import bulksms_worker
from bulksms.services import dispatch


def with_cause(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


LOST = [
    OperationalError("connection refused"),
    with_cause(OperationalError(), psycopg.errors.AdminShutdown()),
    with_cause(OperationalError(), psycopg.errors.CrashShutdown()),
    with_cause(OperationalError(), psycopg.errors.CannotConnectNow()),
    with_cause(OperationalError(), psycopg.errors.IdleInTransactionSessionTimeout()),
    with_cause(OperationalError(), psycopg.OperationalError("server closed the connection")),
    InterfaceError("connection already closed"),
]
COMPLAINTS = [
    with_cause(OperationalError(), psycopg.errors.DeadlockDetected()),
    with_cause(OperationalError(), psycopg.errors.LockNotAvailable()),
    with_cause(OperationalError(), psycopg.errors.QueryCanceled()),
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What a dispatch step raises, one after the other; then it works."""
    waiting: list[Exception] = []

    def run_once(carrier: str) -> int:
        if waiting:
            raise waiting.pop(0)
        return 0

    monkeypatch.setattr(dispatch, "run_once", run_once)
    return waiting


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_a_lost_database_is_told_of_once_however_many_nudges_meet_it(
    error: Exception, asked: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    asked += [error] * 5

    for _ in range(6):
        tasks.run_dispatch("main")

    events = [record.event for record in caplog.records]  # type: ignore[attr-defined]
    assert events == ["database.lost", "database.back"]


@pytest.mark.parametrize("error", COMPLAINTS, ids=lambda error: repr(error.__cause__))
def test_what_a_reachable_database_complains_of_is_raised(
    error: Exception, asked: list[Exception]
) -> None:
    asked.append(error)

    with pytest.raises(OperationalError):
        tasks.run_dispatch("main")
    assert not outages.database.is_on


def test_a_worker_without_a_real_broker_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="Configure RabbitMQ or Redis"):
        call_command("bulksms_worker")


def worker_of(*threads: threading.Thread) -> Any:
    return SimpleNamespace(workers=list(threads), consumers={}, stop=lambda timeout: None)


def test_a_worker_with_a_dead_thread_ends_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bulksms_worker, "LOOK_S", 0.0)
    never_started = threading.Thread()

    is_whole = bulksms_worker._watch(worker_of(never_started), threading.Event())

    assert not is_whole
    assert [record.message for record in caplog.records] == ["bulksms: a thread died"]


def test_a_worker_that_is_whole_waits_until_it_is_told_to_stop() -> None:
    stop = threading.Event()
    stop.set()

    assert bulksms_worker._watch(worker_of(), stop)


def test_a_stop_does_not_wait_for_a_request_that_never_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hangs = threading.Event()
    worker = SimpleNamespace(stop=lambda timeout: hangs.wait(30))

    is_done = bulksms_worker._stop(worker, 0.01)  # type: ignore[arg-type]
    hangs.set()

    assert not is_done
    assert "still in flight" in caplog.text


def test_systemd_is_told_that_the_worker_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        bulksms_worker._say("WATCHDOG=1")

        assert systemd.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sockets: list[object] = []
    monkeypatch.setattr(bulksms_worker.socket, "socket", lambda *a: sockets.append(a))

    bulksms_worker._say("READY=1")

    assert sockets == []
