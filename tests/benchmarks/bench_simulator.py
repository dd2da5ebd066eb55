"""How fast the simulator is, and whether its memory stays level.

    python -m tests.benchmarks.bench_simulator [messages] [--memory]

The simulator runs in a process of its own, so that one core serves and one asks. Prints messages a
second in batches of 500, reports a second, one message a request against a plain aiohttp echo and,
with --memory, the resident memory from 200,000 to 1,000,000 messages with the duplicates counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from aiohttp import web

from simulator.accounts import Account, Endpoint, House
from simulator.cli import calm_collector
from simulator.engine import EngineSettings
from simulator.engine.knobs import Span
from simulator.http.server import Server
from simulator.schema import parse_rules

HEADERS = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
BATCH = 500
CONNECTIONS = 4
RULES: list[object] = [
    {"match": {"share": 3}, "report": "undelivered"},
    {"match": {"share": 1}, "report": "expired"},
    {"match": {"share": 1}, "refuse": "blocked"},
]


# --- what runs in the other process ----------------------------------------------------------


def serve(pipe: Connection, report_url: str | None) -> None:
    """Run the simulator until the pipe says stop; tell its URL first."""
    settings = EngineSettings(seed=7, report_delay=Span(0, 0), report_batch=BATCH)
    house = House()
    house.add(Account(settings, endpoint=Endpoint(report_url), rules=parse_rules(RULES)))
    calm_collector()  # as the command line does
    asyncio.run(_until_told(pipe, Server(house)))


async def _until_told(pipe: Connection, server: Server) -> None:
    await server.start()
    pipe.send(server.url)
    while not pipe.poll():
        await asyncio.sleep(0.05)
    await server.stop()


def serve_echo(pipe: Connection, _report_url: str | None) -> None:
    """Run a plain aiohttp server that sends back what it got."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/messages", echo)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        while not pipe.poll():
            await asyncio.sleep(0.05)
        await runner.cleanup()

    asyncio.run(main())


@contextmanager
def other_process(
    target: Callable[[Connection, str | None], None], report_url: str | None = None
) -> Iterator[tuple[str, int]]:
    """Run `target` apart; yield its URL and process id."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=target, args=(theirs, report_url))
    process.start()
    try:
        yield ours.recv(), process.pid or 0
    finally:
        ours.send("stop")
        process.join()


# --- what asks -------------------------------------------------------------------------------


def bodies(count: int, size: int, first: int = 0) -> Iterator[bytes]:
    """Yield request bodies for `count` messages in batches of `size`, written beforehand."""
    for start in range(first, first + count, size):
        messages = [
            {
                "client_ref": f"ref-{index}",
                "to": f"+2547{11000000 + index % 80_000_000:08d}",
                "from": "SHOP",
                "text": f"Your order {index} is on its way",
            }
            for index in range(start, min(start + size, first + count))
        ]
        yield json.dumps({"messages": messages}).encode()


async def count_accepted(url: str, ready: list[bytes]) -> int:
    """Post every body; return how many messages the answers say were accepted."""
    found = 0
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for body in ready:
            async with session.post(f"{url}/v1/messages", data=body) as answer:
                found += (await answer.read()).count(b'"status":"accepted"')
    return found


async def post_all(url: str, ready: list[bytes], connections: int) -> float:
    """Post every body over `connections` connections; return the seconds it took."""
    waiting = iter(ready)
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def client() -> None:
            for body in waiting:
                async with session.post(f"{url}/v1/messages", data=body) as answer:
                    await answer.read()
                    assert answer.status == 200

        begun = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(connections)))
        return time.perf_counter() - begun


async def summary(url: str) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/_sim/oracle/summary") as answer,
    ):
        return await answer.json()


async def bench_messages(count: int) -> None:
    with other_process(serve) as (url, pid):
        ready = list(bodies(count, BATCH))
        before = cpu_seconds(pid)
        took = await post_all(url, ready, CONNECTIONS)
        cpu = cpu_seconds(pid) - before
        found = await summary(url)
    assert found["accepted"] + found["refused"] == count
    print(
        f"messages, batches of {BATCH}: {count / took:>10,.0f} /s   "
        f"(accepted {found['accepted']:,}, duplicates {found['duplicates']['by_reference']}; "
        f"{count / cpu:,.0f} per CPU second of the simulator)"
    )


async def bench_reports(count: int) -> None:
    """Time the reports alone: they are held back until all messages are in."""
    got = 0
    finished = asyncio.Event()
    opened = asyncio.Event()
    times: list[float] = []

    async def receive(request: web.Request) -> web.Response:
        nonlocal got
        body = await request.read()
        await opened.wait()
        got += body.count(b'"report_id"')
        times.append(time.perf_counter())
        if got >= expected:
            finished.set()
        return web.Response()

    app = web.Application(client_max_size=10**8)
    app.router.add_post("/reports", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
    with other_process(serve, target) as (url, pid):
        expected = count
        await post_all(url, list(bodies(count, BATCH)), CONNECTIONS)
        expected = (await summary(url))["reports"]["planned"]
        begun, before = time.perf_counter(), cpu_seconds(pid)
        opened.set()
        await finished.wait()
        took, cpu = time.perf_counter() - begun, cpu_seconds(pid) - before
        found = await summary(url)
    await runner.cleanup()
    print(
        f"reports, bodies of {BATCH}:    {expected / took:>10,.0f} /s   "
        f"(planned {expected:,}, received {got:,}, lost {found['reports']['lost']}; "
        f"{expected / cpu:,.0f} per CPU second)"
    )


async def bench_single(portions: int = 40, portion: int = 250) -> None:
    """Ask echo and simulator in turn, a portion each: what else runs here disturbs both alike."""
    ready = list(bodies(portions * portion, 1))
    times: dict[str, list[float]] = {"echo": [], "simulator": []}
    with other_process(serve_echo) as echo, other_process(serve) as simulator:
        both = {"echo": echo, "simulator": simulator}
        for url, _ in both.values():
            await post_all(url, list(bodies(portion, 1, len(ready))), CONNECTIONS)
        before = {name: cpu_seconds(pid) for name, (_, pid) in both.items()}
        for start in range(0, len(ready), portion):
            for name, (url, _) in both.items():
                took = await post_all(url, ready[start : start + portion], CONNECTIONS)
                times[name].append(took)
        cpu = {name: cpu_seconds(pid) - before[name] for name, (_, pid) in both.items()}
    rates = {name: portion / median(took) for name, took in times.items()}
    print(
        f"one message a request:      {rates['simulator']:>10,.0f} /s   "
        f"(plain aiohttp echo {rates['echo']:,.0f} /s: {rates['echo'] / rates['simulator']:.2f} "
        f"times as fast, {sum(times['simulator']) / sum(times['echo']):.2f} over all portions, "
        f"{cpu['simulator'] / cpu['echo']:.2f} times the CPU)"
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process: what another busy process cannot distort."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def bench_memory(step: int = 200_000, steps: int = 5) -> None:
    """Send the last 1,000 references of each step twice, so that duplicates are known."""
    doubled, sizes, expected = 1_000, [], 0
    with other_process(serve) as (url, pid):
        for number in range(steps):
            for chunk in range(number * step, (number + 1) * step, 20_000):
                await post_all(url, list(bodies(20_000, BATCH, chunk)), CONNECTIONS)
            last = (number + 1) * step - doubled
            expected += await count_accepted(url, list(bodies(doubled, BATCH, last)))
            sizes.append(resident_mb(pid))
            counted = (await summary(url))["duplicates"]["by_reference"]
            print(
                f"  {(number + 1) * step:>9,} messages: {sizes[-1]:6.0f} MB, "
                f"duplicates {counted}, expected {expected}"
            )
            assert counted == expected
    print(f"memory from {step:,} to {step * steps:,}: {max(sizes) / sizes[0]:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", nargs="?", type=int, default=50_000)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    benches: list[Callable[[], Awaitable[None]]] = [
        lambda: bench_messages(options.messages),
        lambda: bench_reports(options.messages),
        bench_single,
    ]
    if options.memory:
        benches.append(bench_memory)
    for bench in benches:
        asyncio.run(_run(bench))


async def _run(bench: Callable[[], Awaitable[None]]) -> None:
    await bench()


if __name__ == "__main__":
    main()
