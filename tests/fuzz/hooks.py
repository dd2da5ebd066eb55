"""What a case has to have afresh, in schemathesis' own process: a key that was used is refused.

A generator repeats itself, as a client must not: an Idempotency-Key or a messageId of an earlier
case with another body is 422 or 409, a cursor out of the air is 400, a time is mostly over. Of the
values that fit the schema nine in ten are replaced here by good ones; what is wrong on purpose
stays, and so does the tenth, so that those refusals are seen too. No check is touched.
"""

from __future__ import annotations

import datetime as dt
import random
import re
from typing import Any
from uuid import UUID

import schemathesis

AS_DRAWN = 0.1
KEY, CURSOR = re.compile(r"[!-~]{1,255}"), re.compile(r"[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{22}|r\d+")
#: Unique for an organisation, at any depth of a body.
REFERENCES = ("messageId", "reference")
#: So many days from now; what expires does so after it was due.
MOMENTS = {"scheduleTime": 30, "scheduled_at": 30, "scheduleTimestamp": 30, "expires_at": 31}
#: Cases run one after another, so one seed gives the same run again.
chance = random.Random(7)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Most of the values that no schema can know are good ones.

    A case that is wrong on purpose is not touched: the tool would judge it anew, and take a missing
    Authorization for one that we filled in.
    """
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    headers, query = case.headers or {}, case.query or {}
    if _is_fit(KEY, headers.get("Idempotency-Key")) and _is_to_change():
        headers["Idempotency-Key"] = _fresh()
    if _is_fit(CURSOR, query.get("cursor")) and _is_to_change():
        del query["cursor"]
    for item in case.body if isinstance(case.body, list) else [case.body]:
        if isinstance(item, dict):
            _refresh(item)


def _refresh(body: dict[str, Any]) -> None:
    for name in REFERENCES:
        given = body.get(name)
        if isinstance(given, str) and 0 < len(given) <= 255 and _is_to_change():
            body[name] = _fresh()
    for name, days in MOMENTS.items():
        later = _later(body.get(name), days)
        if later and _is_to_change():
            body[name] = later
    if _is_fit(CURSOR, body.get("cursor")) and _is_to_change():
        del body["cursor"]


def _is_fit(pattern: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


def _is_to_change() -> bool:
    return chance.random() >= AS_DRAWN


def _fresh() -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def _later(given: object, days: int) -> str:
    """Days from now, with or without an offset as ``given``; "" for what is no moment."""
    try:
        moment = dt.datetime.fromisoformat(given.upper()) if isinstance(given, str) else None
    except ValueError:
        return ""
    if moment is None:
        return ""
    later = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)
    return later.replace(tzinfo=moment.tzinfo and dt.UTC).isoformat()
