"""Peers: applications that share the simulator's virtual time."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from simulator import wire
from simulator.clocks import from_iso, to_iso

TICK_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    url: str


class PeerError(Exception):
    """A peer did not answer a tick as it should."""


class Peers:
    """The registered peers, ticked in the order of their registration."""

    def __init__(self) -> None:
        self._peers: tuple[Peer, ...] = ()

    def all(self) -> tuple[Peer, ...]:
        return self._peers

    def set(self, peers: list[Peer]) -> None:
        self._peers = tuple(peers)

    async def tick(self, peer: Peer, now: int) -> int | None:
        """Let a peer do what is due; return when it is due next (microseconds) or None."""
        body = wire.dump({"now": to_iso(now), "now_micros": now})
        timeout = aiohttp.ClientTimeout(total=TICK_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    peer.url, data=body, headers={"Content-Type": "application/json"}
                ) as response,
            ):
                if response.status != 200:
                    raise PeerError(f"peer {peer.name}: answered {response.status}")
                return _next_due(await response.json(), peer)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PeerError(f"peer {peer.name}: {type(error).__name__} {error}") from error


def _next_due(answer: object, peer: Peer) -> int | None:
    """Read `{"next_due_at": ISO time | microseconds | null}`. Raises PeerError, ValueError."""
    if not isinstance(answer, dict) or "next_due_at" not in answer:
        raise PeerError(f'peer {peer.name}: expected {{"next_due_at": ...}}')
    due = answer["next_due_at"]
    return from_iso(due) if isinstance(due, str) else due
