"""What an answered callback means: acknowledged, to be posted again, or lost."""

from __future__ import annotations

from simulator.engine import words
from simulator.engine.messages import Callback, Pending, PendingState
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
    first_tries = sum(item.state == "pending" for item in callback.items)
    oracle.callbacks_moved(callback.kind, "sent", first_tries)
    if state != "sent":
        oracle.callbacks_moved(callback.kind, state, len(callback.items))
        callback.body = b""  # never posted again
    attempt = ((now, status),)
    for item in callback.items:
        item.state = state
        item.attempts = item.attempts + attempt if item.attempts else attempt
        if callback.kind == "report":
            _remember_state(item)


def _remember_state(item: Pending) -> None:
    """The carrier's own view of a message: a final state stays, whatever is reported later."""
    record = item.record
    if record.state not in words.FINAL_STATES:
        record.state, record.state_code = item.spec.state, report_code(item)


def report_code(item: Pending) -> str:
    """Return the code that a report carries."""
    if item.spec.code is not None:
        return item.spec.code
    return words.CODE_OF_STATE.get(item.spec.state, words.CODE_OF_ANY_OTHER_STATE)
