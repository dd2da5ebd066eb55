"""The command line: `python -m simulator --http 8090 --seed 7`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from simulator import __version__
from simulator.accounts import DEFAULT_KEY, Account, Endpoint, House
from simulator.clocks import VIRTUAL_START, Clock, FileClock, RealClock, VirtualClock, to_iso
from simulator.echo import EchoEngine
from simulator.engine import EngineSettings
from simulator.engine.knobs import Span
from simulator.engine.rules import RuleSet
from simulator.http.server import Server, ServerOptions
from simulator.replay import read_journal, replay
from simulator.schema import RulesError, load_rules, parse_rules

DIVERGED = 1
USAGE_ERROR = 2
_SECOND_US = 1_000_000
_GC_THRESHOLDS = 30_000, 2, 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of all options."""
    found = argparse.ArgumentParser(
        prog="python -m simulator", description="A fake SMS carrier that tests can trust."
    )
    add = found.add_argument
    add("--http", type=int, default=8090, metavar="PORT", help="port to listen on (0: a free one)")
    add("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    add("--allow-public", action="store_true", help="listen on an address others can reach")
    add("--control-host", action="append", default=[], metavar="NAME", help="further Host name")
    add("--seed", type=int, default=0, help="the seed of every draw")
    add("--rules", type=Path, metavar="FILE", help="rules file, TOML or JSON")
    add("--key", default=DEFAULT_KEY, help=f"the bearer key (default: {DEFAULT_KEY})")
    add("--report-url", metavar="URL", help="where delivery reports are posted")
    add("--inbound-url", metavar="URL", help="where inbound messages are posted")
    add("--secret", metavar="whsec_...", help="signs callbacks (Standard Webhooks)")
    add("--report-delay", type=span, default=span("1-3"), metavar="S", help="seconds: 2, or 1-3")
    add("--report-batch", type=int, default=1, metavar="N", help="reports in one body")
    add("--report-grain", type=float, default=0.0, metavar="S", help="round report times up")
    add("--clock", default="real", metavar="KIND", help="real, virtual or file:PATH")
    add("--clock-start", type=moment, default=VIRTUAL_START, metavar="ISO", help="virtual start")
    add("--keep", type=int, default=100_000, metavar="N", help="messages kept whole")
    add("--max-refs", type=int, default=5_000_000, metavar="N", help="references counted")
    add("--journal", type=Path, metavar="FILE", help="write the journal to a file")
    add("--serve-replay", type=Path, metavar="FILE", help="answer from a journal, nothing else")
    add("--quiet", action="store_true", help="no line per request")
    add("--version", action="version", version=f"simulator {__version__}")
    return found


def span(raw: str) -> Span:
    """Read `2` or `1-3` seconds."""
    low, _, high = raw.partition("-")
    found = Span(round(float(low) * _SECOND_US), round(float(high or low) * _SECOND_US))
    if not 0 <= found.low_us <= found.high_us:
        raise argparse.ArgumentTypeError(f"{raw!r} is not a delay such as 2 or 1-3")
    return found


def moment(raw: str) -> datetime:
    found = datetime.fromisoformat(raw)
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{raw!r} has no time zone: add Z")
    return found


def make_clock(kind: str, start: datetime) -> Clock:
    """Return the clock named by `--clock`. Raises ValueError, OSError."""
    if kind == "real":
        return RealClock()
    if kind == "virtual":
        return VirtualClock(start)
    if kind.startswith("file:"):
        return FileClock(kind.removeprefix("file:"), start)
    raise ValueError(f"--clock: expected real, virtual or file:PATH, got {kind!r}")


def make_house(options: argparse.Namespace, clock: Clock, rules: RuleSet) -> House:
    """Return the house with its default account. Raises ValueError for a bad secret."""
    settings = EngineSettings(
        seed=options.seed,
        report_delay=options.report_delay,
        report_batch=options.report_batch,
        report_grain_us=round(options.report_grain * _SECOND_US),
        keep=options.keep,
        max_refs=options.max_refs,
    )
    endpoint = Endpoint(options.report_url, options.inbound_url, options.secret)
    engine = None
    if options.serve_replay is not None:
        engine = EchoEngine(*read_journal(options.serve_replay))
    house = House()
    house.add(
        Account(
            settings,
            key=options.key,
            clock=clock,
            endpoint=endpoint,
            rules=rules,
            journal_path=options.journal,
            engine=engine,
        )
    )
    return house


def banner(server: Server, options: argparse.Namespace, clock: Clock) -> str:
    """Return what a person needs to see at the start."""
    rules = options.rules or "none (magic numbers only)"
    return "\n".join(
        [
            f"simulator {__version__}: a fake SMS carrier",
            f"  carrier   POST {server.url}/v1/messages   Authorization: Bearer {options.key}",
            f"  oracle    {server.url}/_sim/oracle/messages",
            f"  summary   {server.url}/_sim/oracle/summary",
            f"  rules     {server.url}/_sim/rules   from: {rules}",
            f"  reports   {options.report_url or 'not posted (--report-url)'}",
            f"  seed      {options.seed}",
            f"  clock     {options.clock}, now {to_iso(clock.now_micros())}",
            "Stop with Ctrl-C.",
        ]
    )


async def serve(server: Server, options: argparse.Namespace, clock: Clock) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await server.start()
    print(banner(server, options, clock), flush=True)
    await stopped.wait()
    await server.stop()
    print("stopped", flush=True)


def calm_collector() -> None:
    """Let this process look for garbage less often: the records of the oracle are none.

    They come by the hundred thousand and stay, and each early look at them is in vain. A full look
    comes with every 60,000 messages or so, at a quarter more of what is kept: memory stays level.
    """
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def run_server(options: argparse.Namespace) -> int:
    """Serve as the options say. Raises RulesError, ValueError, OSError before it listens."""
    rules = load_rules(options.rules) if options.rules else parse_rules([])
    clock = make_clock(options.clock, options.clock_start)
    house = make_house(options, clock, rules)
    listen = ServerOptions(
        options.host, options.http, options.allow_public, frozenset(options.control_host)
    )
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("simulator").setLevel(level)
    calm_collector()
    try:
        asyncio.run(serve(Server(house, listen), options, clock))
    finally:
        for account in house.accounts.values():
            account.journal.close()
    return 0


def replay_parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m simulator replay",
        description="Compute a journal again; name the first decision that differs (exit 1).",
    )
    found.add_argument("journal", type=Path)
    found.add_argument("--rules", type=Path, help="other rules than the journal's, to compare")
    return found


def run_replay(options: argparse.Namespace) -> int:
    """Return 0 where every decision came out again, 1 with the first that did not."""
    header, entries = read_journal(options.journal)
    rules = load_rules(options.rules) if options.rules else None
    divergence = replay(header, entries, rules)
    if divergence is None:
        print(f"{len(entries)} entries: every decision came out again")
        return 0
    print(divergence)
    return DIVERGED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2: the command was wrong)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["replay"]:
            return run_replay(replay_parser().parse_args(given[1:]))
        return run_server(parser().parse_args(given))
    except (RulesError, ValueError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return USAGE_ERROR
