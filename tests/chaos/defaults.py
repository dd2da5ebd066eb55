"""Redis with dramatiq's default settings, and with ours: ``python -m tests.chaos.defaults``.

Two accidents, each with both. A worker is killed while it has messages: when does another get them?
And the Redis server is replaced (its machine loses power, connections stay open and dead): does a
campaign go on? The figures are in docs/howto/go_live.md.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker as DramatiqBroker

from bulksms.brokers.redis import RedisBroker
from tests.chaos.servers import Postgres, Process, Redis
from tests.chaos.world import open_world

JOBS, JOB_S, THREADS = 20, 1.0, 4
LIMIT_S = 120.0
MESSAGES = 1_000
BROKERS = {"dramatiq's": DramatiqBroker, "ours": RedisBroker}


def make_broker(kind: str, url: str) -> dramatiq.Broker:
    """A broker with one actor: it works for a second, then counts."""
    broker: dramatiq.Broker = BROKERS[kind](url=url)
    client = redis.Redis.from_url(url)

    def job(number: int) -> None:
        time.sleep(JOB_S)
        client.sadd("done", number)

    dramatiq.actor(job, actor_name="job", broker=broker)
    return broker


def work(kind: str, url: str) -> None:
    """A worker process until it is killed."""
    dramatiq.Worker(make_broker(kind, url), worker_threads=THREADS).start()
    signal.pause()


def redeliver(kind: str, server: Redis, folder: Path) -> str:
    """Kill a worker in the middle, start another; how many jobs were done when."""
    server.empty()
    url = server.url(server.port)
    broker, client = make_broker(kind, url), redis.Redis.from_url(url)
    for number in range(JOBS):
        broker.get_actor("job").send(number)
    command = [sys.executable, "-m", "tests.chaos.defaults", kind, url]
    first = Process(command, folder / "first.log")
    while client.scard("done") < THREADS:
        time.sleep(0.05)
    time.sleep(JOB_S / 2)
    first.close()
    started, second = time.monotonic(), Process(command, folder / "second.log")
    while (done := client.scard("done")) < JOBS and time.monotonic() - started < LIMIT_S:
        time.sleep(0.1)
    second.close()
    return f"{done} of {JOBS} jobs done {time.monotonic() - started:.0f} s after the kill"


def replace(kind: str, server: Redis, database: Postgres, folder: Path) -> str:
    """Let the broker's machine die under a campaign and come back after 5 s."""
    server.empty()
    with open_world(folder, database, server, defaults=kind != "ours") as world:
        world.start(MESSAGES, 2)
        while world.statuses()["queued"] > MESSAGES * 0.8:
            time.sleep(0.1)
        world.gate.fall_silent()
        time.sleep(5)
        world.gate.open()
        started = time.monotonic()
        while not world.is_finished() and time.monotonic() - started < LIMIT_S:
            time.sleep(0.1)
        return f"{dict(world.statuses())} {time.monotonic() - started:.0f} s after it was back"


def main() -> None:
    with TemporaryDirectory(prefix="chaos-") as name, ExitStack() as cleanup:
        folder = Path(name)
        server, database = Redis(folder / "redis"), Postgres(folder / "pg")
        cleanup.callback(server.close)
        cleanup.callback(database.close)
        for kind in BROKERS:
            (folder / kind).mkdir()
            print(f"{kind:12} worker killed:   {redeliver(kind, server, folder / kind)}")
            print(f"{kind:12} server replaced: {replace(kind, server, database, folder / kind)}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.chaos.settings")
    work(*sys.argv[1:]) if len(sys.argv) > 1 else main()
