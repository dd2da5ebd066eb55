"""What an answered callback means: acknowledged, to be posted again, or lost."""

from __future__ import annotations

from simulator.engine import words
from simulator.engine.messages import Callback, PendingState
from simulator.engine.oracle import Oracle
from simulator.engine.schedule import Schedule

#: The status of a callback whose account has no address for it.
NOWHERE = -1


def settle(callback: Callback, status: int, now: int, schedule: Schedule, oracle: Oracle) -> None:
    """Record the answer to one try of `callback` and plan the next try where there is one."""
    callback.tries += 1
    acked = 200 <= status < 300
    lost = status == NOWHERE or (not acked and not schedule.repeat(callback, now))
    state: PendingState = "acked" if acked else "lost" if lost else "sent"
    first_tries = _book(callback, state, ((now, status),))
    oracle.callbacks_moved(callback.kind, "sent", first_tries)
    if state != "sent":
        oracle.callbacks_moved(callback.kind, state, len(callback.items))
        callback.body = b""  # never posted again


def _book(callback: Callback, state: PendingState, attempt: tuple[tuple[int, int], ...]) -> int:
    """Note one try with every item; return for how many of them it was the first.

    The carrier's own view of a message goes with its reports. A final state stays, whatever is
    reported later.
    """
    first_tries, is_report = 0, callback.kind == "report"
    for item in callback.items:
        if item.state == "pending":
            first_tries += 1
        item.state = state
        item.attempts = item.attempts + attempt if item.attempts else attempt
        record, spec = item.record, item.spec
        if is_report and record.state not in words.FINAL_STATES:
            record.state, record.state_code = spec.state, spec.shown_code
    return first_tries
