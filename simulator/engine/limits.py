"""A leaky bucket in exact integers: the throttle's tokens and the queue's depth."""

from __future__ import annotations

_PICO = 10**12


class Bucket:
    """Holds `capacity` units and leaks `rate_micro` millionths of a unit a second.

    In any window of w seconds at most capacity + rate * w units get in: there is no rounding.
    """

    def __init__(self, capacity: int, rate_micro: int) -> None:
        self.capacity = capacity
        self.rate_micro = rate_micro
        self._level = 0
        self._at: int | None = None

    def _settle(self, now: int) -> None:
        if self._at is not None and now > self._at:
            self._level = max(0, self._level - (now - self._at) * self.rate_micro)
        self._at = now if self._at is None else max(now, self._at)

    def fits(self, units: int, now: int) -> bool:
        """Say whether `units` more would stay within the capacity at `now` (microseconds)."""
        self._settle(now)
        return self._level + units * _PICO <= self.capacity * _PICO

    def add(self, units: int, now: int) -> None:
        self._settle(now)
        self._level += units * _PICO

    def wait_us(self, units: int, now: int) -> int | None:
        """Return the microseconds until `units` fit, or None where they never will."""
        if units > self.capacity:
            return None
        self._settle(now)
        over = self._level + units * _PICO - self.capacity * _PICO
        return max(0, -(-over // self.rate_micro))

    def level(self, now: int) -> float:
        """Return the units inside at `now`."""
        self._settle(now)
        return self._level / _PICO
