"""The one clock: every rule that reads the time reads it here.

``BULKSMS["CLOCK"]`` is the dotted path of an object with ``now() -> datetime`` (aware, UTC). Tests
and the simulator put a virtual clock there; SQL gets the time as a parameter, never from ``now()``.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Protocol, cast

from django.utils.module_loading import import_string

from bulksms import conf


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """The current time, aware and in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


system = SystemClock()


@lru_cache(maxsize=8)
def _load(path: str) -> Clock:
    return cast(Clock, import_string(path))


def now() -> dt.datetime:
    """The current time of the configured clock (aware, UTC)."""
    return _load(conf.settings.CLOCK).now()


def is_virtual() -> bool:
    """Whether the configured clock is one that tests move."""
    return bool(getattr(_load(conf.settings.CLOCK), "is_virtual", False))


def now_ms() -> int:
    """Milliseconds since 1970-01-01 UTC on the configured clock."""
    return int(now().timestamp() * 1000)


def from_timestamp(seconds: float) -> dt.datetime:
    """Seconds since 1970-01-01 UTC as an aware datetime."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
