"""Strict input of the control plane: every mistake, with its place, as a 4xx."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from simulator import wire
from simulator.clocks import from_iso
from simulator.plane import TOO_LARGE
from simulator.schema import RulesError
from simulator.schema.errors import Problem
from simulator.schema.readers import Problems, Reader, real, table, text, whole


class ControlError(Exception):
    """Bad input to the control plane: a 4xx that says what is wrong."""

    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"code": code, "detail": detail, **more}


def respond(status: int, value: object) -> web.Response:
    return web.Response(status=status, body=wire.dump(value), content_type="application/json")


def problems_of(error: RulesError) -> list[dict[str, str]]:
    return [{"place": p.place, "message": p.message} for p in error.problems]


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


def digits(raw: object, place: str, problems: Problems) -> str:
    """Read a number with or without `+` (which a query string may have turned into a blank)."""
    found = text(raw, place, problems).strip().removeprefix("+")
    if isinstance(raw, str) and not (found.isascii() and found.isdigit()):
        problems.append(Problem(place, f"expected a number, got {raw!r}"))
    return found


def pattern(raw: object, place: str, problems: Problems) -> re.Pattern[str]:
    try:
        return re.compile(text(raw, place, problems))
    except re.error as error:
        problems.append(Problem(place, f"not a regular expression: {error}"))
        return re.compile("")


def web_address(raw: object, place: str, problems: Problems) -> str | None:
    """Read an http(s) URL, or null."""
    if raw is None:
        return None
    found = text(raw, place, problems)
    if not re.fullmatch(r"https?://[^\s/]+\S*", found):
        problems.append(Problem(place, f"expected an http:// or https:// URL, got {raw!r}"))
    return found


def read_parameters(request: web.Request, readers: dict[str, Reader[Any]]) -> dict[str, Any]:
    """Read the query string strictly. Raises ControlError 422 with every problem."""
    given = dict(request.query)
    problems: Problems = []
    if len(given) != len(request.query):
        problems.append(Problem("query", "a parameter is given twice"))
    read = table(given, "query", problems, readers)
    return _checked(read, problems)


async def read_json(request: web.Request) -> Any:
    """Read a JSON body; an empty one is an empty object. Raises ControlError 400, 413."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ControlError(413, "too_large", TOO_LARGE) from None
    try:
        return json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ControlError(400, "not_json", f"the body is not JSON: {error}") from None


async def read_body(
    request: web.Request, readers: dict[str, Reader[Any]], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Read a JSON object strictly. Raises ControlError with every problem."""
    problems: Problems = []
    read = table(await read_json(request), "body", problems, readers)
    given = {problem.place for problem in problems}
    for key in required:
        if key not in read and "body" not in given:
            problems.append(Problem(f"body.{key}", "is missing"))
    return _checked(read, problems)


def _checked(read: dict[str, Any], problems: Problems) -> dict[str, Any]:
    if problems:
        shown = [{"place": p.place, "message": p.message} for p in problems]
        raise ControlError(422, "bad_input", "; ".join(map(str, problems)), problems=shown)
    return read
