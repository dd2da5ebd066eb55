"""Pacing: how many parts a carrier may be asked for right now, under its own locked row.

A token bucket in millionths of a part: refilled at ``parts_per_second``, never fuller than
``BURST_S`` seconds' worth. That is less than carriers allow, on purpose: requests take their time
on the way and arrive closer together than they left. No thread waits for the bucket: whoever finds
it empty plans one nudge for the moment when it is worth asking again.
"""

from __future__ import annotations

import datetime as dt

from bulksms import queues
from bulksms.carriers.base import Carrier
from bulksms.models import CarrierState

MICRO = 1_000_000
#: How much of a second may be asked for at once.
BURST_S = 0.5


def lock(carrier: str) -> CarrierState:
    """The carrier's row, locked until the transaction ends; made when it is missing."""
    rows = CarrierState.objects.select_for_update()
    state = rows.filter(carrier=carrier).first()
    if state is None:
        CarrierState.objects.bulk_create([CarrierState(carrier=carrier)], ignore_conflicts=True)
        state = rows.get(carrier=carrier)
    return state


def room(state: CarrierState, carrier: Carrier, waiting: int, now: dt.datetime) -> int | None:
    """How many parts may be asked for now; None = as many as one likes, 0 = not yet.

    Not yet also while the bucket holds less than is worth a request: a full one, or all of the
    ``waiting`` rows, or as much as the bucket can ever hold.
    """
    rate = carrier.parts_per_second
    if rate is None:
        return None
    _refill(state, rate, now)
    worth = _worth(state, carrier, rate, waiting)
    if state.allowance_micro_parts < worth * MICRO:
        _plan(state, rate, worth, now)
        return 0
    return state.allowance_micro_parts // MICRO


def spend(state: CarrierState, carrier: Carrier, rows: int, parts: int) -> None:
    """Take ``parts`` out of the bucket; below zero after a message longer than what was left."""
    state.requests_count += 1
    state.usual_parts = -(-parts // rows) if rows else state.usual_parts
    if carrier.parts_per_second is not None:
        state.allowance_micro_parts -= parts * MICRO


def wake_next(state: CarrierState, carrier: Carrier, waiting: int, now: dt.datetime) -> None:
    """More is waiting and a slot is free: the next request goes now, or when the bucket allows."""
    if room(state, carrier, waiting, now) != 0:
        queues.wake(queues.DISPATCH, carrier.name)


def _refill(state: CarrierState, rate: float, now: dt.datetime) -> None:
    most = max(int(rate * BURST_S * MICRO), MICRO)
    if state.refilled_at is None:
        state.allowance_micro_parts = most
    else:
        elapsed = max(now - state.refilled_at, dt.timedelta()) // dt.timedelta(microseconds=1)
        gained = int(elapsed * rate)
        state.allowance_micro_parts = min(state.allowance_micro_parts + gained, most)
    state.refilled_at = max(now, state.refilled_at or now)


def _worth(state: CarrierState, carrier: Carrier, rate: float, waiting: int) -> int:
    rows = min(carrier.batch_size, waiting)
    return max(1, min(rows * state.usual_parts, int(rate * BURST_S)))


def _plan(state: CarrierState, rate: float, worth: int, now: dt.datetime) -> None:
    """One nudge for when it is worth asking again; none if one is on its way already."""
    if state.waking_at is not None and state.waking_at > now:
        return
    missing = worth * MICRO - state.allowance_micro_parts
    wait_s = missing / (rate * MICRO)
    # A microsecond more: rounded down, it would come just too early.
    state.waking_at = now + dt.timedelta(seconds=wait_s, microseconds=1)
    queues.wake_later(wait_s, queues.DISPATCH, state.carrier)
