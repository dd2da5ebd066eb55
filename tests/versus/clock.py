"""One time for all processes of our house: the machine's, or a faster one for a short test."""

from __future__ import annotations

import datetime as dt


class SharedClock:
    """For ``BULKSMS["CLOCK"]``: from ``start`` on it runs ``speed`` times as fast."""

    def __init__(self) -> None:
        self.start = dt.datetime.now(dt.UTC)
        self.speed = 1.0

    def now(self) -> dt.datetime:
        return self.start + (dt.datetime.now(dt.UTC) - self.start) * self.speed


shared = SharedClock()
