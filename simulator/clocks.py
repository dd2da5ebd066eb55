"""Clocks: the one source of time of an account. All tell UTC microseconds since 1970.

`FileClock` owns a small file whose first eight bytes are the time as a little-endian signed
64-bit integer; any process may map it read-only and have the same time.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

#: Where virtual time begins, so that equal runs print equal times.
VIRTUAL_START = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Return an aware datetime as UTC microseconds. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def to_iso(micros: int) -> str:
    """Return `2026-01-01T00:00:01.500000Z`."""
    moment = from_micros(micros).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


def from_iso(text: str) -> int:
    """Read an ISO 8601 time with a zone. Raises ValueError."""
    return to_micros(datetime.fromisoformat(text))


class Clock(Protocol):
    """Tells the time."""

    is_virtual: bool

    def now_micros(self) -> int: ...


class RealClock:
    """The machine's clock."""

    is_virtual = False

    def now_micros(self) -> int:
        return time.time_ns() // 1_000


class VirtualClock:
    """A clock that moves only when it is moved, and never back."""

    is_virtual = True

    def __init__(self, start: datetime = VIRTUAL_START) -> None:
        self._micros = to_micros(start)

    def now_micros(self) -> int:
        return self._micros

    def move_to(self, micros: int) -> None:
        """Set the time. Raises ValueError for a time before now."""
        if micros < self._micros:
            raise ValueError(f"{to_iso(micros)} is before now, {to_iso(self._micros)}")
        self._micros = micros


class FileClock(VirtualClock):
    """A virtual clock whose time every process can read from a file. Close it after use."""

    def __init__(self, path: str | Path, start: datetime = VIRTUAL_START) -> None:
        super().__init__(start)
        self.path = Path(path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(descriptor, struct.calcsize("<q"))
            self._map = mmap.mmap(descriptor, struct.calcsize("<q"))
        finally:
            os.close(descriptor)
        self._write()

    def move_to(self, micros: int) -> None:
        super().move_to(micros)
        self._write()

    def _write(self) -> None:
        """Store the eight aligned bytes in one go: a reader never sees half a time."""
        self._map[:8] = struct.pack("<q", self._micros)

    def close(self) -> None:
        self._map.close()


def read_file_clock(path: str | Path) -> int:
    """Return the time (UTC microseconds) that a FileClock wrote to `path`."""
    (micros,) = struct.unpack("<q", Path(path).read_bytes()[:8])
    return int(micros)


@runtime_checkable
class HasNow(Protocol):
    """Any object with `now() -> aware datetime`."""

    def now(self) -> datetime: ...


class OutsideClock:
    """A clock that somebody else moves: an object with `now() -> aware datetime`."""

    is_virtual = True

    def __init__(self, source: HasNow) -> None:
        self._source = source

    def now_micros(self) -> int:
        return to_micros(self._source.now())
