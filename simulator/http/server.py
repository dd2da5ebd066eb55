"""One HTTP server: carrier plane, control plane, and the pumps that post callbacks."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass

from aiohttp import web

from simulator.accounts import Account, House
from simulator.clocks import Clock
from simulator.http.advance import Advancer
from simulator.http.callbacks import Poster, Pump
from simulator.http.carrier import CarrierPlane
from simulator.http.control import ControlPlane
from simulator.http.peers import Peers
from simulator.plane import CARRIER_PATHS, MOST_BODY_BYTES

_STOP_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen. `port` 0 takes a free one; `control_hosts` may be named in Host headers."""

    host: str = "127.0.0.1"
    port: int = 0
    allow_public: bool = False
    control_hosts: frozenset[str] = frozenset()


def check_address(options: ServerOptions) -> None:
    """Raise ValueError for an address that other machines reach, unless that is wanted."""
    if options.allow_public or options.host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"{options.host} is not a loopback address: anybody who reaches it could read every "
            "message; say --allow-public if that is what you want"
        )


class Server:
    """Serves a house of accounts until it is stopped."""

    def __init__(self, house: House, options: ServerOptions | None = None) -> None:
        self.house = house
        self.options = options or ServerOptions()
        check_address(self.options)
        self.peers = Peers()
        self._poster = Poster(house)
        self._time_lock = asyncio.Lock()
        self._pumps: dict[str, tuple[Account, Pump, asyncio.Task[None]]] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Raises OSError where the address is taken."""
        runner = web.AppRunner(
            self._app(),
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=_STOP_TIMEOUT_S,
        )
        await runner.setup()
        site = web.TCPSite(runner, self.options.host, self.options.port)
        await site.start()
        self._runner = runner
        port = runner.addresses[0][1]
        self.url = f"http://{_in_url(self.options.host)}:{port}"
        self._watch()

    async def stop(self) -> None:
        """Stop listening and give up callbacks on the way."""
        for account, pump, task in self._pumps.values():
            account.listeners.discard(pump.wake)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await pump.stop()
        self._pumps.clear()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._poster.close()

    def _app(self) -> web.Application:
        carrier = CarrierPlane(self.house, self._poster.post)
        advancer = Advancer(self.house, self.peers, self._pumps_of, self._time_lock)
        self.house.on_change = self._watch
        control = ControlPlane(self.house, advancer, self.peers, self.options.control_hosts)
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        for path in CARRIER_PATHS:
            app.router.add_route("*", path, carrier.handle)
        app.add_routes(control.routes())
        app.router.add_route("*", "/{path:.*}", carrier.handle)
        return app

    def _watch(self) -> None:
        """Run a pump for every account; restart those that were replaced."""
        for account in tuple(self.house.accounts.values()):
            self._pump(account)

    def _pump(self, account: Account) -> Pump:
        """Return the running pump of an account, started where it is new or was replaced."""
        known = self._pumps.get(account.name)
        if known is not None and known[0] is account:
            return known[1]
        if known is not None:
            known[0].listeners.discard(known[1].wake)
            known[2].cancel()
        pump = Pump(account, self._poster, self._time_lock)
        account.listeners.add(pump.wake)
        self._pumps[account.name] = account, pump, asyncio.create_task(pump.run())
        return pump

    def _pumps_of(self, clock: Clock) -> list[Pump]:
        accounts = [a for a in self.house.accounts.values() if a.clock is clock]
        return [self._pump(account) for account in sorted(accounts, key=lambda a: a.name)]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
