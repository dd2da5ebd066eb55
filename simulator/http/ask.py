"""Control endpoints that ask: the oracle, phones, the journal. Some wait for what they ask."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeVar

from aiohttp import web

from simulator.accounts import Account
from simulator.clocks import to_iso
from simulator.engine import Record
from simulator.http.inputs import ControlError, digits, number, pattern, read_parameters
from simulator.journal import JournalOverflow
from simulator.oracle_views import show_messages, show_summary
from simulator.schema.readers import text

T = TypeVar("T")
LONGEST_WAIT_S = 300
_MOST_RECORDS = 10_000
_DEFAULT_LIMIT = 1_000


async def until(account: Account, look: Callable[[], T | None], wait_s: float) -> T | None:
    """Return what `look` finds, looking again whenever the account changed, for `wait_s` (real)."""
    news = asyncio.Event()
    account.listeners.add(news.set)
    try:
        async with asyncio.timeout(wait_s):
            while (found := look()) is None:
                await news.wait()
                news.clear()
            return found
    except TimeoutError:
        return look()
    finally:
        account.listeners.discard(news.set)


async def messages(request: web.Request, account: Account) -> Any:
    """`?client_ref=|to=&at_least=&wait=&limit=`: what was really accepted, and what became of it.

    With `at_least`, 404 `not_yet` where fewer were accepted within `wait` seconds.
    """
    readers = {
        "client_ref": text,
        "to": digits,
        "limit": number(1, _MOST_RECORDS),
        "at_least": number(1, 10**9),
        "wait": number(0, LONGEST_WAIT_S),
    }
    asked = read_parameters(request, readers)
    client_ref, to = asked.get("client_ref"), asked.get("to")
    wanted = int(asked.get("at_least", 1 if "wait" in asked else 0))

    def look() -> int | None:
        accepted = count_accepted(account, client_ref, to)
        return accepted if accepted >= wanted else None

    if await until(account, look, asked.get("wait", 0)) is None:
        have = count_accepted(account, client_ref, to)
        found = show_messages(account, client_ref, to, int(asked.get("limit", _DEFAULT_LIMIT)))
        detail = f"{have} of {wanted} accepted after {asked.get('wait', 0):g} s"
        raise ControlError(404, "not_yet", detail, missing=wanted - have, found=found)
    return show_messages(account, client_ref, to, int(asked.get("limit", _DEFAULT_LIMIT)))


def count_accepted(account: Account, client_ref: str | None, to: str | None) -> int:
    oracle = account.engine.oracle
    if client_ref is not None and to is None:
        return oracle.accepted_count(client_ref)
    if client_ref is None and to is None:
        return oracle.totals["accepted"]
    return sum(record.status == "accepted" for record in oracle.records(client_ref, to))


async def summary(request: web.Request, account: Account) -> Any:
    read_parameters(request, {})
    return show_summary(account)


async def phone(request: web.Request, account: Account) -> Any:
    """`/_sim/phones/{number}/last?wait=&regex=`: the last message a handset got.

    With `regex`, the last one whose text matches: `match` is its first group, else the whole match.
    """
    asked = read_parameters(request, {"wait": number(0, LONGEST_WAIT_S), "regex": pattern})
    to = request.match_info["number"].strip().removeprefix("+")
    regex: re.Pattern[str] = asked.get("regex", re.compile(""))

    def look() -> dict[str, Any] | None:
        for record in reversed(account.engine.oracle.records(to=to)):
            found = regex.search(record.text) if record.status == "accepted" else None
            if found is not None:
                return _show_on_phone(record, found)
        return None

    seen = await until(account, look, asked.get("wait", 0))
    if seen is None:
        like = f" like {regex.pattern!r}" if regex.pattern else ""
        raise ControlError(404, "not_yet", f"no message{like} for {to} yet")
    return seen


def _show_on_phone(record: Record, found: re.Match[str]) -> dict[str, Any]:
    return {
        "to": "+" + record.to,
        "from": record.sender,
        "text": record.text,
        "at": to_iso(record.at),
        "client_ref": record.client_ref,
        "match": found.group(1) if found.re.groups else found.group(0),
    }


async def journal(request: web.Request, account: Account) -> web.Response:
    """Everything since the last reset, as lines of JSON that `simulator replay` takes."""
    read_parameters(request, {})
    try:
        lines = "\n".join(account.journal.lines())
    except JournalOverflow as error:
        raise ControlError(409, "journal_overflow", str(error)) from None
    return web.Response(text=lines + "\n", content_type="application/x-ndjson")
