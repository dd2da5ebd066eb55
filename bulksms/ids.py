"""UUIDv7 identifiers (RFC 9562), in order of creation and seedable in tests.

The time comes from :mod:`bulksms.clock`, the rest from one generator that :func:`seed` replaces.
Ids of one call to :func:`sequence` rise strictly, so that id order is input order.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from uuid import UUID

from bulksms import clock

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62
_RAND_B = (1 << 62) - 1
_TAIL_BITS = 74
_DRAWN = 64

_generator: random.Random = random.SystemRandom()


def seed(value: int | None) -> None:
    """Draw ids from ``value`` on (tests, replays); ``None``: the system's randomness again."""
    global _generator
    _generator = random.SystemRandom() if value is None else random.Random(value)


def _compose(ms: int, tail: int) -> UUID:
    rand_a, rand_b = tail >> 62, tail & _RAND_B
    return UUID(int=(ms & 0xFFFF_FFFF_FFFF) << 80 | _VERSION | rand_a << 64 | _VARIANT | rand_b)


def sequence(count: int) -> Iterator[UUID]:
    """``count`` ids that rise strictly.

    The tail starts at random with its top bit clear and grows by a random step below 2**32, so two
    sequences of the same millisecond do not meet and one id does not tell its neighbours.
    """
    ms, tail = clock.now_ms(), _generator.getrandbits(_TAIL_BITS - 1)
    for start in range(0, count, _DRAWN):  # a draw of its own for each id is a system call each
        steps = _generator.getrandbits(32 * _DRAWN)
        for _ in range(min(_DRAWN, count - start)):
            yield _compose(ms, tail)
            tail += 1 + (steps & 0xFFFF_FFFF)
            steps >>= 32


def new() -> UUID:
    """One id."""
    return _compose(clock.now_ms(), _generator.getrandbits(_TAIL_BITS))


def first_at(moment: dt.datetime) -> UUID:
    """The smallest id that can be made at ``moment`` or later, to the millisecond."""
    ms = max(0, int(moment.timestamp() * 1000))
    return _compose(ms, 0)


def spread(low: float, high: float) -> float:
    """A random number between ``low`` and ``high`` (jitter), from the same seedable generator."""
    return _generator.uniform(low, high)
