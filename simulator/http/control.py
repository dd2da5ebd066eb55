"""The control plane: `/_sim/...` and `/_sim/{account}/...`, for tests and people near by."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulator import wire
from simulator.accounts import DEFAULT, Account, House
from simulator.clocks import Clock, VirtualClock, from_iso, to_iso
from simulator.http.advance import Advancer
from simulator.oracle_views import show_messages, show_summary
from simulator.schema import RulesError, parse_rules
from simulator.schema.errors import Problem
from simulator.schema.readers import LONGEST_S, Problems, Reader, real, table, text, whole

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MOST_RECORDS = 10_000

ControlHandler = Callable[[web.Request, Account], Awaitable[Any]]


class ControlError(Exception):
    """Bad input to the control plane: a 4xx that says what is wrong."""

    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"code": code, "detail": detail, **more}


def respond(status: int, value: object) -> web.Response:
    return web.Response(status=status, body=wire.dump(value), content_type="application/json")


class ControlPlane:
    """Routes and guards. Handlers return what is written as JSON."""

    def __init__(self, house: House, advancer: Advancer, hosts: frozenset[str]) -> None:
        self._house = house
        self._advancer = advancer
        self._hosts = hosts | LOOPBACK_HOSTS

    def routes(self) -> list[web.RouteDef]:
        """Return every route, for the default account and for named ones."""
        found: list[web.RouteDef] = []
        for method, path, handler in (
            ("GET", "oracle/messages", self.messages),
            ("GET", "oracle/summary", self.summary),
            ("POST", "reset", self.reset),
            ("GET", "rules", self.get_rules),
            ("PUT", "rules", self.put_rules),
            ("GET", "clock", self.get_clock),
            ("POST", "clock/advance", self.advance),
        ):
            guarded = self._guard(handler)
            found.append(web.route(method, f"/_sim/{path}", guarded))
            found.append(web.route(method, f"/_sim/{{account}}/{path}", guarded))
        return found

    def _guard(
        self, handler: ControlHandler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                result = await handler(request, self._account(request))
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
        if request.method != "GET" and request.content_type != "application/json":
            raise ControlError(415, "not_json", "send Content-Type: application/json")

    def _account(self, request: web.Request) -> Account:
        name = request.match_info.get("account", DEFAULT)
        account = self._house.accounts.get(name)
        if account is None:
            known = ", ".join(sorted(self._house.accounts))
            raise ControlError(404, "no_account", f"no account {name!r}; there are: {known}")
        return account

    # --- oracle ------------------------------------------------------------------------------

    async def messages(self, request: web.Request, account: Account) -> Any:
        found = read_parameters(
            request, {"client_ref": text, "to": text, "limit": number(1, _MOST_RECORDS)}
        )
        to = found.get("to")
        return show_messages(
            account,
            found.get("client_ref"),
            None if to is None else to.strip().removeprefix("+"),
            int(found.get("limit", 1_000)),
        )

    async def summary(self, request: web.Request, account: Account) -> Any:
        read_parameters(request, {})
        return show_summary(account)

    # --- what can be set ---------------------------------------------------------------------

    async def reset(self, request: web.Request, account: Account) -> Any:
        await read_body(request, {})
        account.engine.reset()
        return {"reset": account.name}

    async def get_rules(self, request: web.Request, account: Account) -> Any:
        read_parameters(request, {})
        return account.engine.rules.source

    async def put_rules(self, request: web.Request, account: Account) -> Any:
        try:
            rules = parse_rules(await read_json(request))
        except RulesError as error:
            raise ControlError(422, "bad_rules", str(error), problems=problems_of(error)) from None
        account.engine.set_rules(rules)
        return rules.source

    # --- clock -------------------------------------------------------------------------------

    async def get_clock(self, request: web.Request, account: Account) -> Any:
        read_parameters(request, {})
        return show_clock(account.clock)

    async def advance(self, request: web.Request, account: Account) -> Any:
        clock = account.clock
        if not isinstance(clock, VirtualClock):
            detail = "this account runs on the real clock: start with --clock virtual"
            raise ControlError(409, "real_clock", detail)
        read = await read_body(request, {"by": real(0, LONGEST_S), "to": moment})
        if len(read) != 1:
            raise ControlError(422, "bad_input", 'give {"by": seconds} or {"to": ISO time}')
        target = read.get("to", clock.now_micros() + round(read.get("by", 0) * 1_000_000))
        if target < clock.now_micros():
            raise ControlError(422, "bad_input", f"to: it is {to_iso(clock.now_micros())} already")
        return await self._advancer.advance(clock, target)


def show_clock(clock: Clock) -> dict[str, Any]:
    now = clock.now_micros()
    kind = "virtual" if clock.is_virtual else "real"
    return {"kind": kind, "now": to_iso(now), "now_micros": now}


def problems_of(error: RulesError) -> list[dict[str, str]]:
    return [{"place": p.place, "message": p.message} for p in error.problems]


# --- input -----------------------------------------------------------------------------------


def moment(raw: object, place: str, problems: Problems) -> int:
    """Read an ISO time, or UTC microseconds, as microseconds."""
    if isinstance(raw, int):
        return whole(0, 2**62)(raw, place, problems)
    try:
        return from_iso(text(raw, place, problems))
    except ValueError as error:
        problems.append(Problem(place, f"expected an ISO time with a zone: {error}"))
        return 0


def number(low: float, high: float) -> Reader[float]:
    """Read a number from a query string."""

    def read(raw: object, place: str, problems: Problems) -> float:
        try:
            value: object = float(str(raw))
        except ValueError:
            value = raw
        return real(low, high)(value, place, problems)

    return read


def read_parameters(request: web.Request, readers: dict[str, Reader[Any]]) -> dict[str, Any]:
    """Read the query string strictly. Raises ControlError 422 with every problem."""
    given = dict(request.query)
    problems: Problems = []
    if len(given) != len(request.query):
        problems.append(Problem("query", "a parameter is given twice"))
    read = table(given, "query", problems, readers)
    return _checked(read, problems)


async def read_json(request: web.Request) -> Any:
    raw = await request.read()
    try:
        return json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ControlError(400, "not_json", f"the body is not JSON: {error}") from None


async def read_body(request: web.Request, readers: dict[str, Reader[Any]]) -> dict[str, Any]:
    """Read a JSON body strictly. Raises ControlError with every problem."""
    problems: Problems = []
    read = table(await read_json(request), "body", problems, readers)
    return _checked(read, problems)


def _checked(read: dict[str, Any], problems: Problems) -> dict[str, Any]:
    if problems:
        shown = [{"place": p.place, "message": p.message} for p in problems]
        raise ControlError(422, "bad_input", "; ".join(map(str, problems)), problems=shown)
    return read
