"""A fake SMS carrier that tests can trust: rules, faults, an oracle and a clock of its own.

The package stands alone: no Django, two dependencies (msgspec, and aiohttp for real sockets).

* `simulator.engine` - the carrier itself: pure, synchronous, seeded.
* `simulator.http` - the engine behind real sockets.
* `simulator.testing` - the engine inside a test: in-process transport, server thread, fixtures.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
