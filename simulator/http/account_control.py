"""Control endpoints of accounts: list them, make one, replace one."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from simulator.accounts import DEFAULT, Account, Endpoint, House
from simulator.clocks import Clock, RealClock, VirtualClock
from simulator.engine import EngineSettings
from simulator.http.inputs import ControlError, problems_of, read_body, web_address
from simulator.schema import RulesError, parse_rules
from simulator.schema.readers import Problems, choice, seconds, span_seconds, text, whole


def show_account(account: Account) -> dict[str, Any]:
    endpoint = account.endpoint
    return {
        "name": account.name,
        "key": account.key,
        "seed": account.engine.settings.seed,
        "clock": "virtual" if account.clock.is_virtual else "real",
        "report_url": endpoint.report_url,
        "inbound_url": endpoint.inbound_url,
        "signed": endpoint.secret is not None,
    }


async def put_account(request: web.Request, house: House) -> Any:
    """`PUT /_sim/accounts/{name}`: make an account, or replace it whole."""
    name = request.match_info["name"]
    read = await read_body(
        request,
        {
            "key": text,
            "seed": whole(0, 2**63),
            "report_url": web_address,
            "inbound_url": web_address,
            "secret": text,
            "report_delay_s": span_seconds,
            "report_batch": whole(1, 1_000),
            "report_grain_s": seconds,
            "rules": _raw,
            "clock": choice("house", "real", "virtual"),
        },
        required=("key",),
    )
    try:
        account = house.add(_make_account(name, read, house))
    except RulesError as error:
        raise ControlError(422, "bad_rules", str(error), problems=problems_of(error)) from None
    except ValueError as error:
        raise ControlError(422, "bad_input", str(error)) from None
    return show_account(account)


def _raw(raw: object, _place: str, _problems: Problems) -> object:
    return raw


def _make_account(name: str, read: dict[str, Any], house: House) -> Account:
    """Build the account. Raises RulesError, ValueError."""
    if not re.fullmatch(r"\S{1,200}", read["key"]):
        raise ValueError("body.key: expected 1 to 200 characters without blanks")
    settings = EngineSettings(
        seed=read.get("seed", 0),
        name=name,
        report_delay=read.get("report_delay_s", EngineSettings().report_delay),
        report_batch=read.get("report_batch", 1),
        report_grain_us=read.get("report_grain_s", 0),
    )
    return Account(
        settings,
        key=read["key"],
        clock=_clock(read.get("clock", "house"), house),
        endpoint=Endpoint(read.get("report_url"), read.get("inbound_url"), read.get("secret")),
        rules=parse_rules(read.get("rules", [])),
    )


def _clock(kind: str, house: House) -> Clock:
    if kind == "house" and DEFAULT in house.accounts:
        return house.accounts[DEFAULT].clock
    return VirtualClock() if kind == "virtual" else RealClock()
