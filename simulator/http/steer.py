"""Control endpoints that change something: reset, rules, accounts, time, injected events."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from simulator.accounts import Account
from simulator.clocks import VirtualClock, to_iso
from simulator.engine import Submission
from simulator.engine.inject import Injection
from simulator.http.inputs import (
    ControlError,
    digits,
    moment,
    problems_of,
    read_body,
    read_json,
    read_parameters,
    web_address,
)
from simulator.http.peers import Peer, Peers
from simulator.oracle_views import show_report
from simulator.schema import RulesError, parse_rules
from simulator.schema.errors import Problem
from simulator.schema.readers import (
    LONGEST_S,
    Problems,
    choice,
    real,
    seconds,
    table,
    text,
    whole,
)

_MOST_PEERS = 20


async def reset(request: web.Request, account: Account) -> Any:
    await read_body(request, {})
    account.reset()
    return {"reset": account.name}


# --- rules -----------------------------------------------------------------------------------


async def get_rules(request: web.Request, account: Account) -> Any:
    read_parameters(request, {})
    return account.engine.rules.source


async def put_rules(request: web.Request, account: Account) -> Any:
    try:
        rules = parse_rules(await read_json(request))
    except RulesError as error:
        raise ControlError(422, "bad_rules", str(error), problems=problems_of(error)) from None
    account.set_rules(rules)
    return rules.source


# --- events ----------------------------------------------------------------------------------


async def inbound(request: web.Request, account: Account) -> Any:
    """`POST /_sim/mo` `{from, to, text, delay_s}`: a handset writes to us."""
    read = await read_body(
        request,
        {"from": digits, "to": text, "text": text, "delay_s": seconds},
        required=("from", "to", "text"),
    )
    pending = account.inject(
        Injection(
            delay_us=read.get("delay_s", 0), sender=read["from"], to=read["to"], text=read["text"]
        )
    )
    return {"inbound_id": pending.report_id, "due_at": to_iso(pending.due)}


async def report(request: web.Request, account: Account) -> Any:
    """`POST /_sim/reports` `{client_ref, state, code, id, delay_s}`: one more report."""
    read = await read_body(
        request,
        {
            "client_ref": text,
            "state": text,
            "code": text,
            "id": choice("own", "unknown"),
            "delay_s": seconds,
        },
        required=("client_ref", "state"),
    )
    injection = Injection(
        delay_us=read.get("delay_s", 0),
        client_ref=read["client_ref"],
        state=read["state"],
        code=read.get("code"),
        id_kind=read.get("id", "own"),
    )
    try:
        return show_report(account.inject(injection))
    except KeyError:
        detail = f"no message with client_ref {read['client_ref']!r}"
        raise ControlError(404, "no_message", detail) from None


async def expect(request: web.Request, account: Account) -> Any:
    """`PUT /_sim/oracle/expected` `{messages: [{to, from, text, count}]}`: wanted equal messages.

    Without it one message of each (to, from, text) is wanted, and more are duplicates.
    """
    problems: Problems = []
    body = await read_json(request)
    rows = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise ControlError(422, "bad_input", "body.messages: expected a list")
    readers = {"to": digits, "from": text, "text": text, "count": whole(0)}
    for index, row in enumerate(rows):
        read = table(row, f"body.messages[{index}]", problems, readers)
        message = Submission("", read.get("to", ""), read.get("from", ""), read.get("text", ""))
        account.engine.oracle.expect(account.engine.fate.content(message), read.get("count", 1))
    if problems:
        raise ControlError(422, "bad_input", "; ".join(map(str, problems)))
    return {"expected": len(rows)}


# --- clock -----------------------------------------------------------------------------------


async def get_clock(request: web.Request, account: Account) -> Any:
    read_parameters(request, {})
    now = account.now()
    kind = "virtual" if account.clock.is_virtual else "real"
    return {"kind": kind, "now": to_iso(now), "now_micros": now}


async def read_advance(request: web.Request, account: Account) -> tuple[VirtualClock, int]:
    """Read `{by: seconds}` or `{to: time}`; return the clock to move and where to."""
    clock = account.clock
    if not isinstance(clock, VirtualClock):
        detail = "this account runs on the real clock: start with --clock virtual"
        raise ControlError(409, "real_clock", detail)
    read = await read_body(request, {"by": real(0, LONGEST_S), "to": moment})
    if len(read) != 1:
        raise ControlError(422, "bad_input", 'body: give {"by": seconds} or {"to": ISO time}')
    now = clock.now_micros()
    target: int = read["to"] if "to" in read else now + round(read["by"] * 1_000_000)
    if target < now:
        raise ControlError(422, "bad_input", f"body.to: it is {to_iso(now)} already")
    if target > now + LONGEST_S * 1_000_000:
        raise ControlError(422, "bad_input", "body.to: more than a year from now")
    return clock, target


def show_peers(peers: Peers) -> dict[str, Any]:
    return {"peers": [{"name": peer.name, "url": peer.url} for peer in peers.all()]}


async def put_peers(request: web.Request, peers: Peers) -> Any:
    """`PUT /_sim/clock/peers` `{peers: [{name, url}]}`: who shares this clock."""
    read = await read_body(request, {"peers": _peers}, required=("peers",))
    peers.set(read["peers"])
    return show_peers(peers)


def _peers(raw: object, place: str, problems: Problems) -> list[Peer]:
    if not isinstance(raw, list) or len(raw) > _MOST_PEERS:
        problems.append(Problem(place, f"expected a list of at most {_MOST_PEERS} peers"))
        return []
    found: list[Peer] = []
    for index, row in enumerate(raw):
        here = f"{place}[{index}]"
        read = table(row, here, problems, {"name": text, "url": web_address})
        if not read.get("url"):
            problems.append(Problem(f"{here}.url", "is missing"))
        found.append(Peer(read.get("name") or f"peer {index + 1}", read.get("url") or ""))
    return found
