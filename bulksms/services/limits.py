"""Request limits: exact sliding windows of a minute, the same over any number of processes.

A row remembers the time of each request that was let through; its lock makes two requests at the
same moment take turns. In any 60 seconds, wherever they begin, at most the limit passes. Refused
requests are not remembered: who keeps asking is let in as soon as one who waits.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from bulksms import clock, conf
from bulksms.exceptions import RateLimited
from bulksms.models import RateWindow

SEND_BULK = "send-bulk"
SEND = "send"
QUOTE = "quote"
MANAGE = "manage"
READ = "read"
FAILED_AUTHENTICATION = "failed-authentication"

#: Requests a minute: per organisation, the last one per client address.
DEFAULTS: Mapping[str, int] = {
    SEND_BULK: 60,
    SEND: 300,
    QUOTE: 60,
    MANAGE: 300,
    READ: 300,
    FAILED_AUTHENTICATION: 60,
}

WINDOW_S = 60
_WINDOW_MICROS = WINDOW_S * 1_000_000
#: Rows that nobody has used for so long say nothing any more.
_FORGOTTEN_AFTER = dt.timedelta(hours=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """How a limit stands: ``remaining`` requests now, one more in ``reset_s`` seconds (rounded up).

    With nothing remaining, ``reset_s`` is how long to wait.
    """

    name: str
    limit: int
    remaining: int
    reset_s: int


def quota(name: str) -> int | None:
    """Requests a minute that ``name`` allows, from ``BULKSMS["RATE_LIMITS"]``.

    None = no limit, 0 = no request at all.
    """
    return conf.settings.RATE_LIMITS.get(name, DEFAULTS[name])


def take(name: str, subject: object) -> Window | None:
    """Let one request of ``subject`` through; None = there is no such limit. Raises RateLimited.

    A transaction of its own, over before the request's work begins.
    """
    limit = quota(name)
    if limit is None:
        return None
    with transaction.atomic():
        row = _locked(f"{name}/{subject}")
        now = _micros(clock.now())
        hits = _unpack(row.hits)
        if admit(hits, now, limit):
            _store(row.key, hits, now)
            return _window(name, limit, hits, now)
    found = _window(name, limit, hits, now)
    raise RateLimited(
        f"At most {limit} requests of this kind ({name}) in {WINDOW_S} seconds. Try again in"
        f" {found.reset_s} s.",
        window=found,
        retry_after_s=found.reset_s,
    )


def admit(hits: list[int], now: int, limit: int) -> bool:
    """Whether a request at ``now`` passes; then it is added to ``hits``. Old ones are dropped.

    All in microseconds. A hit counts for 60 s exactly: one of second 0 is gone at 60.000000.
    """
    hits[:] = _live(hits, now)
    if len(hits) >= limit:
        return False
    # Two processes' clocks may differ a little; the list stays in order.
    hits.append(max(now, hits[-1]) if hits else now)
    return True


def look(name: str, subject: object) -> Window | None:
    """How the limit stands, without a request; None = there is no such limit."""
    limit = quota(name)
    if limit is None:
        return None
    row = RateWindow.objects.filter(key=f"{name}/{subject}").first()
    now = _micros(clock.now())
    return _window(name, limit, _live(_unpack(row.hits), now) if row else [], now)


def prune(now: dt.datetime) -> int:
    """Delete rows that say nothing any more; returns how many."""
    deleted, _ = RateWindow.objects.filter(updated_at__lt=now - _FORGOTTEN_AFTER).delete()
    return deleted


def _window(name: str, limit: int, hits: Sequence[int], now: int) -> Window:
    free = limit - len(hits)
    if not limit:
        return Window(name, 0, 0, WINDOW_S)
    if not hits:
        return Window(name, limit, free, 0)
    # The one whose leaving lets the next request in; with something left, the oldest.
    leaving = hits[max(0, -free)] + _WINDOW_MICROS
    return Window(name, limit, max(free, 0), -(-max(leaving - now, 1) // 1_000_000))


# Rows


def _locked(key: str) -> RateWindow:
    rows = RateWindow.objects.select_for_update().filter(key=key)
    row = rows.first()
    if row is None:
        RateWindow.objects.bulk_create(
            [RateWindow(key=key, updated_at=clock.now())], ignore_conflicts=True
        )
        row = rows.get()
    return row


def _store(key: str, hits: Sequence[int], now: int) -> None:
    packed = struct.pack(f"<{len(hits)}q", *hits)
    RateWindow.objects.filter(key=key).update(hits=packed, updated_at=_EPOCH + now * _MICRO)


def _unpack(packed: bytes | memoryview) -> list[int]:
    return list(struct.unpack(f"<{len(packed) // 8}q", packed))


def _live(hits: Sequence[int], now: int) -> list[int]:
    """The hits of the window that ends now. One far ahead is a clock's mistake, set right since."""
    return [hit for hit in hits if now - _WINDOW_MICROS < hit <= now + _WINDOW_MICROS]


def _micros(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // _MICRO
