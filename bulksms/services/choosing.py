"""Choosing whose messages go next: two lanes, a fair share for each organisation, then the oldest.

Within a lane the organisation that was served the fewest parts of this carrier goes first, however
many campaigns it has; within an organisation, the run that has waited longest. High priority goes
first, but every ninth request while both wait is led by normal: it keeps a tenth of the carrier.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bulksms import db
from bulksms.carriers.base import Carrier
from bulksms.models import CarrierState, Organisation, Run, Share
from bulksms.models.outbox import HIGH, NORMAL

RUNS, SHARES = Run._meta.db_table, Share._meta.db_table
ORGANISATIONS = Organisation._meta.db_table

#: Runs that one request may draw from, and how many are looked at to find them.
MAX_RUNS = 100
LOOKED_AT = 400
#: Requests in a row that high priority may lead while normal waits.
HIGH_IN_A_ROW = 8
#: One turn of an organisation: this part of a request, so that a request serves several.
TURN = 4
LEAST_TURN = 25


class Waiting(NamedTuple):
    """A run with due rows. ``start_parts``: what its organisation counts as served."""

    run_id: int
    organisation_id: int
    queued_count: int
    start_parts: int


#: Lane -> its waiting runs, those to be served first in front.
Lanes = Mapping[str, Sequence[Waiting]]

_WAITING = f"""
SELECT id, organisation_id, queued_count, start_parts FROM (
  SELECT r.id, r.organisation_id, r.queued_count,
    CASE WHEN s.served_parts > %s THEN s.served_parts ELSE %s END AS start_parts,
    ROW_NUMBER() OVER (
      PARTITION BY r.organisation_id ORDER BY COALESCE(r.served_at, r.due_at), r.id) AS place
  FROM {RUNS} AS r
  JOIN {ORGANISATIONS} AS o ON o.id = r.organisation_id AND o.is_active
  LEFT JOIN {SHARES} AS s ON s.carrier = r.carrier AND s.priority = r.priority
    AND s.organisation_id = r.organisation_id
  WHERE r.carrier = %s AND r.priority = %s AND r.queued_count > 0 AND NOT r.is_paused
    AND r.due_at <= %s
) AS ready
WHERE place <= {MAX_RUNS} ORDER BY start_parts, organisation_id, place LIMIT {LOOKED_AT}
"""


def waiting(state: CarrierState, lanes: Sequence[str], now: dt.datetime) -> Lanes:
    """The due runs of each lane, the lane that goes first in front."""
    found = {lane: _waiting(state, lane, now) for lane in lanes}
    if state.high_in_a_row >= HIGH_IN_A_ROW and found.get(NORMAL):
        return {NORMAL: found[NORMAL], HIGH: found.get(HIGH, [])}
    return found


def _waiting(state: CarrierState, lane: str, now: dt.datetime) -> list[Waiting]:
    least = _least(state, lane)
    params = (least, least, state.carrier, lane, now)
    rows = db.fetch(_WAITING, params, (db.INT, db.INT, db.INT, db.INT))
    return [Waiting._make(row) for row in rows]


def count(lanes: Lanes) -> int:
    """How many rows wait in the runs that were looked at."""
    return sum(run.queued_count for runs in lanes.values() for run in runs)


def share_out(lanes: Lanes, carrier: Carrier) -> dict[int, int]:
    """Run -> how many of its rows this request may take, the first lane first. Pure.

    A carrier of one text per request serves one run at a time.
    """
    room = carrier.batch_size
    if carrier.one_text_per_request:
        first = next((runs[0] for runs in lanes.values() if runs), None)
        return {} if first is None else {first.run_id: room}
    shares: dict[int, int] = {}
    for runs in lanes.values():
        room -= _share_lane(runs, room, max(carrier.batch_size // TURN, LEAST_TURN), shares)
    return shares


def _share_lane(runs: Sequence[Waiting], room: int, turn: int, shares: dict[int, int]) -> int:
    """Deal ``room`` rows out in turns, one organisation after the other; returns how many went."""
    left = {run.run_id: run.queued_count for run in runs}
    by_organisation: dict[int, list[int]] = defaultdict(list)
    for run in runs:
        by_organisation[run.organisation_id].append(run.run_id)
    before = room
    while room and any(left.values()):
        for theirs in by_organisation.values():
            room -= _deal(theirs, left, min(turn, room), shares)
    return before - room


def _deal(runs: Iterable[int], left: dict[int, int], turn: int, shares: dict[int, int]) -> int:
    """One organisation's turn, from its runs in order; returns how many rows it got."""
    dealt = 0
    for run_id in runs:
        if run_id not in shares and len(shares) == MAX_RUNS:
            left[run_id] = 0
        rows = min(left[run_id], turn - dealt)
        if rows:
            shares[run_id] = shares.get(run_id, 0) + rows
            left[run_id] -= rows
            dealt += rows
    return dealt


def note_served(state: CarrierState, lanes: Lanes, served: Mapping[tuple[str, int], int]) -> None:
    """Write down the parts that each (lane, organisation) got, and who led the request."""
    starts = {(lane, run.organisation_id): run.start_parts for lane in lanes for run in lanes[lane]}
    rows = [
        (state.carrier, lane, organisation_id, starts[lane, organisation_id] + parts)
        for (lane, organisation_id), parts in sorted(served.items())
    ]
    columns = {
        "carrier": db.TEXT, "priority": db.TEXT, "organisation_id": db.INT, "served_parts": db.INT,
    }  # fmt: skip
    db.insert_or_update(SHARES, columns, rows, key=("carrier", "priority", "organisation_id"))
    for lane in lanes:
        least = [start for (its, _), start in starts.items() if its == lane]
        _raise_least(state, lane, min(least, default=0))
    _note_leader(state, lanes)


def _note_leader(state: CarrierState, lanes: Lanes) -> None:
    """Only requests that kept normal waiting count against high."""
    led_by_high = next(iter(lanes)) == HIGH and bool(lanes[HIGH])
    if led_by_high and (lanes.get(NORMAL) or NORMAL not in lanes):
        state.high_in_a_row = min(state.high_in_a_row + 1, HIGH_IN_A_ROW)
    else:
        state.high_in_a_row = 0


def _least(state: CarrierState, lane: str) -> int:
    return state.fair_high_parts if lane == HIGH else state.fair_parts


def _raise_least(state: CarrierState, lane: str, parts: int) -> None:
    if lane == HIGH:
        state.fair_high_parts = max(state.fair_high_parts, parts)
    else:
        state.fair_parts = max(state.fair_parts, parts)
