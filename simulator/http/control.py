"""The control plane: `/_sim/...` and `/_sim/{account}/...`, for tests and people near by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulator.accounts import DEFAULT, Account, House
from simulator.http import account_control, ask, steer
from simulator.http.advance import Advancer, PeerError, StuckError
from simulator.http.inputs import ControlError, respond
from simulator.http.peers import Peers

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

AccountHandler = Callable[[web.Request, Account], Awaitable[Any]]
Guarded = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlPlane:
    """Routes and guards. Handlers return what is written as JSON."""

    def __init__(
        self, house: House, advancer: Advancer, peers: Peers, hosts: frozenset[str]
    ) -> None:
        self._house = house
        self._advancer = advancer
        self._peers = peers
        self._hosts = hosts | LOOPBACK_HOSTS

    def routes(self) -> list[web.RouteDef]:
        """Return every route; those of an account for the default one and for named ones."""
        of_house = (
            ("GET", "/_sim/accounts", self._list_accounts),
            ("PUT", "/_sim/accounts/{name}", self._put_account),
            ("GET", "/_sim/clock/peers", self._get_peers),
            ("PUT", "/_sim/clock/peers", self._put_peers),
        )
        found = [web.route(m, path, self._guard(handler)) for m, path, handler in of_house]
        for method, path, handler in self._account_handlers():
            guarded = self._guard(self._for_account(handler))
            found.append(web.route(method, f"/_sim/{path}", guarded))
            found.append(web.route(method, f"/_sim/{{account}}/{path}", guarded))
        return [*found, web.route("*", "/_sim{rest:(/.*)?}", self._guard(_nothing_here))]

    def _account_handlers(self) -> tuple[tuple[str, str, AccountHandler], ...]:
        return (
            ("GET", "oracle/messages", ask.messages),
            ("GET", "oracle/summary", ask.summary),
            ("PUT", "oracle/expected", steer.expect),
            ("GET", "phones/{number}/last", ask.phone),
            ("GET", "journal", ask.journal),
            ("POST", "reset", steer.reset),
            ("POST", "mo", steer.inbound),
            ("POST", "reports", steer.report),
            ("GET", "rules", steer.get_rules),
            ("PUT", "rules", steer.put_rules),
            ("GET", "clock", steer.get_clock),
            ("POST", "clock/advance", self._advance),
        )

    def _guard(self, handler: Callable[[web.Request], Awaitable[Any]]) -> Guarded:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                result = await handler(request)
            except ControlError as error:
                return respond(error.status, error.body)
            return result if isinstance(result, web.StreamResponse) else respond(200, result)

        return guarded

    def _check(self, request: web.Request) -> None:
        """Keep web pages out: they can neither forge the Host header nor send JSON across sites."""
        host = request.headers.get("Host", "").lower()
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name not in self._hosts:
            detail = f"the control plane answers only to {', '.join(sorted(self._hosts))}"
            raise ControlError(403, "wrong_host", detail)
        if request.method not in ("GET", "HEAD") and request.content_type != "application/json":
            raise ControlError(415, "not_json", "send Content-Type: application/json")

    def _for_account(self, handler: AccountHandler) -> Callable[[web.Request], Awaitable[Any]]:
        async def found(request: web.Request) -> Any:
            name = request.match_info.get("account", DEFAULT)
            account = self._house.accounts.get(name)
            if account is None:
                known = ", ".join(sorted(self._house.accounts))
                raise ControlError(404, "no_account", f"no account {name!r}; there are: {known}")
            return await handler(request, account)

        return found

    async def _list_accounts(self, _request: web.Request) -> Any:
        return {
            "accounts": [account_control.show_account(a) for a in self._house.accounts.values()]
        }

    async def _put_account(self, request: web.Request) -> Any:
        return await account_control.put_account(request, self._house)

    async def _get_peers(self, _request: web.Request) -> Any:
        return steer.show_peers(self._peers)

    async def _put_peers(self, request: web.Request) -> Any:
        return await steer.put_peers(request, self._peers)

    async def _advance(self, request: web.Request, account: Account) -> Any:
        clock, target = await steer.read_advance(request, account)
        try:
            return await self._advancer.advance(clock, target)
        except PeerError as error:
            raise ControlError(502, "peer_failed", str(error)) from None
        except StuckError as error:
            raise ControlError(409, "stuck", str(error)) from None


async def _nothing_here(request: web.Request) -> Any:
    raise ControlError(404, "not_found", f"no {request.method} {request.path} here")
