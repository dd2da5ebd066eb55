"""Processor time: what another busy process on the machine cannot distort. Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


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


def _cpu(backend: int) -> float:
    fields = Path(f"/proc/{backend}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")
