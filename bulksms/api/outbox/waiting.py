"""``Prefer: wait=N`` (RFC 7240): an answer may wait until a request is finished.

At most ``MAX_WAITERS`` requests of a process wait at a time and none for more than ``MAX_WAIT_S``;
all others are answered at once. This is the one place that waits on the machine's clock: it is the
client's patience that is measured, not the outbox's time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import BoundedSemaphore

MAX_WAIT_S = 10
MAX_WAITERS = 4
POLL_S = 0.1

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)
_places = BoundedSemaphore(MAX_WAITERS)

# What tests put a carrier's steps in the place of.
monotonic: Callable[[], float] = time.monotonic
pause: Callable[[float], None] = time.sleep


def seconds(prefer: str) -> int:
    """How long the client would wait, at most MAX_WAIT_S; 0 = it did not say so."""
    found = _WAIT.search(prefer[:1000])
    return min(int(found[1]), MAX_WAIT_S) if found else 0


def wait_for(is_finished: Callable[[], bool], limit_s: int) -> bool:
    """Wait until ``is_finished``, ``limit_s`` at the most; False = there was no place to wait."""
    if not _places.acquire(blocking=False):
        return False
    try:
        end = monotonic() + limit_s
        while not is_finished() and monotonic() < end:
            pause(POLL_S)
    finally:
        _places.release()
    return True
