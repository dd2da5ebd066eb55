"""The simulator inside tests: in-process transport, a real server in a thread, fixtures.

Nothing here is imported by the simulator itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.testing.transport import InProcessTransport

if TYPE_CHECKING:
    from simulator.testing.server import SimulatorThread, serve_in_thread

__all__ = ["InProcessTransport", "SimulatorThread", "serve_in_thread"]

_NEEDS_SOCKETS = frozenset({"SimulatorThread", "serve_in_thread"})


def __getattr__(name: str) -> object:
    """Import what needs aiohttp only when it is asked for."""
    if name not in _NEEDS_SOCKETS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator.testing import server

    return getattr(server, name)
