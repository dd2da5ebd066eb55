"""Processor time: what another busy process on the machine cannot distort. Linux only."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

PROC = Path("/proc")


@dataclass(slots=True)
class Spent:
    """Seconds of a block: by the clock on the wall, and by the processors."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def spent(backend: int) -> Iterator[Spent]:
    """Measure a block of this process and of the database's process ``backend``."""
    result = Spent()
    started, before = time.perf_counter(), _cpu(backend)
    yield result
    result.wall_s = time.perf_counter() - started
    result.cpu_s = _cpu(backend) - before


def family_seconds(pid: int) -> float:
    """What a process, its children and theirs have used so far, those that ended included."""
    parents = _parents()
    found, fresh = {pid}, {pid}
    while fresh := {child for child, parent in parents.items() if parent in fresh} - found:
        found |= fresh
    return sum(_seconds(member, with_ended=True) for member in found)


def parent_of(pid: int) -> int:
    return int(_fields(pid)[1])


def backend() -> int:
    """The process of the database that serves Django's connection here."""
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def wall(rounds: Sequence[Spent]) -> float:
    return statistics.median(seconds.wall_s for seconds in rounds)


def cpu_ratio(ours: Sequence[Spent], theirs: Sequence[Spent]) -> float:
    """The least of each: what else ran can only have added to the others."""
    return min(s.cpu_s for s in ours) / min(s.cpu_s for s in theirs)


def _cpu(backend: int) -> float:
    return time.process_time() + _seconds(backend)


def _seconds(pid: int, *, with_ended: bool = False) -> float:
    """User and system time of a process; 0 for one that has ended meanwhile."""
    try:
        ticks = _fields(pid)[11 : 15 if with_ended else 13]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    """Those of /proc/<pid>/stat after the name, which may have spaces: state, parent, ..."""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()


def _parents() -> dict[int, int]:
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = parent_of(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
