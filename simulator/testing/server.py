"""A real simulator server in a thread, on a free loopback port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from simulator.accounts import Account, Endpoint, House
from simulator.clocks import Clock
from simulator.engine import Engine, EngineSettings
from simulator.http.server import Server, ServerOptions
from simulator.testing.transport import read_rules, span_of

T = TypeVar("T")
_START_TIMEOUT_S = 10.0


class SimulatorThread:
    """Serves a house from a thread of its own. Start and stop it, or use it in a `with`."""

    def __init__(self, house: House, options: ServerOptions | None = None) -> None:
        self.house = house
        self.server = Server(house, options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:40123`."""
        return self.server.url

    @property
    def account(self) -> Account:
        """The first account."""
        return next(iter(self.house.accounts.values()))

    @property
    def engine(self) -> Engine:
        """The engine of the first account (for reading; change it by `call`)."""
        return self.account.engine

    def start(self) -> SimulatorThread:
        """Listen. Raises OSError where the address is taken."""
        self._thread.start()
        try:
            self._await(self.server.start())
        except BaseException:
            self._end()
            raise
        return self

    def stop(self) -> None:
        """Stop serving and end the thread; calling it again does nothing."""
        if self._thread.is_alive():
            self._await(self.server.stop())
            self._end()

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` in the server's thread, between two requests, and return its result."""

        async def run() -> T:
            return function()

        return self._await(run())

    def set_endpoint(
        self, report_url: str | None, secret: str | None = None, inbound_url: str | None = None
    ) -> None:
        """Say where the first account's callbacks go from now on."""
        endpoint = Endpoint(report_url, inbound_url, secret)
        self.call(lambda: setattr(self.account, "endpoint", endpoint))

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(_START_TIMEOUT_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> SimulatorThread:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def serve_in_thread(
    *,
    seed: int = 0,
    rules: Sequence[object] | Mapping[str, Any] = (),
    key: str = "test-key",
    report_url: str | None = None,
    inbound_url: str | None = None,
    secret: str | None = None,
    report_delay_s: float | tuple[float, float] = (1, 3),
    report_batch: int = 1,
    report_grain_s: float = 0,
    clock: Clock | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[SimulatorThread]:
    """Serve one account over real HTTP for as long as the block runs.

    Example: `with serve_in_thread(seed=7, report_url=...) as simulator: post_to(simulator.url)`.
    """
    account = Account(
        EngineSettings(
            seed=seed,
            report_delay=span_of(report_delay_s),
            report_batch=report_batch,
            report_grain_us=round(report_grain_s * 1_000_000),
        ),
        key=key,
        clock=clock,
        endpoint=Endpoint(report_url, inbound_url, secret),
        rules=read_rules(rules),
    )
    house = House()
    house.add(account)
    thread = SimulatorThread(house, ServerOptions(host=host, port=port)).start()
    try:
        yield thread
    finally:
        thread.stop()
