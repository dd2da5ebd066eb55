"""Virtual time that the simulator moves and every process of a cell reads from one file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from simulator.clocks import from_micros, read_file_clock


class SharedClock:
    """For ``BULKSMS["CLOCK"]``; ``path`` is set by whoever starts or joins a cell."""

    path: Path | None = None

    def now(self) -> dt.datetime:
        assert self.path is not None, "no cell is being played"
        return from_micros(read_file_clock(self.path))


shared = SharedClock()
