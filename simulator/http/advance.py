"""Moves virtual time event by event, the simulator's and its peers' in one order.

A peer is an application on the same clock with timers of its own. It is told the time by a POST
of `{"now": ISO, "now_micros": int}`, does what is due, and answers `{"next_due_at": ...}`: an ISO
time, UTC microseconds, or null.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.accounts import House
from simulator.clocks import Clock, VirtualClock, to_iso
from simulator.http.callbacks import Pump
from simulator.http.peers import Peer, PeerError, Peers

#: At one instant, this many rounds of work mean that somebody is due for ever.
MOST_ROUNDS_AT_ONCE = 10_000


class StuckError(Exception):
    """Time cannot move on: somebody has work at the same instant again and again."""


@dataclass(slots=True)
class Journey:
    """What one advance did."""

    target: int
    steps: int = 0
    callbacks: int = 0
    ticks: int = 0
    dues: dict[str, int | None] = field(default_factory=dict)


class Advancer:
    """Advances virtual clocks. `pumps_of` gives the pumps of the accounts on a clock, in order."""

    def __init__(
        self,
        house: House,
        peers: Peers,
        pumps_of: Callable[[Clock], list[Pump]],
        time_lock: asyncio.Lock,
    ) -> None:
        self._house = house
        self._peers = peers
        self._pumps_of = pumps_of
        self._time_lock = time_lock

    async def advance(self, clock: VirtualClock, target: int) -> dict[str, Any]:
        """Go to `target` (UTC microseconds), stopping at every event on the way.

        Raises PeerError for a peer that does not answer as it should, StuckError.
        """
        async with self._time_lock:
            return await self._travel(clock, Journey(max(target, clock.now_micros())))

    async def _travel(self, clock: VirtualClock, journey: Journey) -> dict[str, Any]:
        target = journey.target
        await self._work(clock, journey)
        while (due := self._next(clock, journey)) is not None and due <= target:
            clock.move_to(max(due, clock.now_micros()))
            await self._work(clock, journey)
        clock.move_to(target)
        await self._work(clock, journey)
        return {
            "now": to_iso(target),
            "now_micros": target,
            "steps": journey.steps,
            "callbacks": journey.callbacks,
            "ticks": journey.ticks,
        }

    def _next(self, clock: VirtualClock, journey: Journey) -> int | None:
        """Return the next time after now at which anybody has something to do."""
        dues = [a.engine.next_due_at() for a in self._house.accounts.values() if a.clock is clock]
        dues += journey.dues.values()
        return min((due for due in dues if due is not None), default=None)

    async def _work(self, clock: VirtualClock, journey: Journey) -> None:
        """Do everything that is due at this instant, and what that makes due."""
        for _ in range(MOST_ROUNDS_AT_ONCE):
            journey.steps += 1
            posted = 0
            for pump in self._pumps_of(clock):
                posted += await pump.drain()
            journey.callbacks += posted
            again = await self._tick(clock, journey)
            if not again and not self._is_due(clock):
                return
        raise StuckError(f"still something due at {to_iso(clock.now_micros())}")

    def _is_due(self, clock: VirtualClock) -> bool:
        now = clock.now_micros()
        return any(
            (due := account.engine.next_due_at()) is not None and due <= now
            for account in self._house.accounts.values()
            if account.clock is clock
        )

    async def _tick(self, clock: VirtualClock, journey: Journey) -> bool:
        """Let every peer work; say whether one of them is due again at once."""
        now, again = clock.now_micros(), False
        for peer in self._peers.all():
            journey.ticks += 1
            due = await self._peers.tick(peer, now)
            journey.dues[peer.name] = due
            again = again or (due is not None and due <= now)
        return again


__all__ = ["Advancer", "Journey", "Peer", "PeerError", "Peers", "StuckError"]
