"""Workers: steps, the tick, time; frozen and thawed ones; the named crash points."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import transaction

from bulksms import conf, states
from bulksms.models import Report, Run
from bulksms.services import claiming, dispatch, reconcile, reports, resolving
from bulksms.services.claiming import Claim
from bulksms.testing import drain, virtual_clock
from tests.crash.cells import APPLY_POINTS, DISPATCH_POINTS
from tests.soak.deeds.registry import deed, houses, one_of, which
from tests.soak.deeds.sending import send_single
from tests.soak.world import Frozen, House, World

SPANS_S = (1, 20, 61, 310, 400, 3_600, 49 * 3_600, 73 * 3_600)
STAGES = ("claimed", "begun", "asked")
MOST_FROZEN = 3


class Killed(BaseException):
    """A process ends here: what it has not committed is undone, nothing else happens."""


@deed(house=houses, weight=4)
def step(world: World, house: str) -> None:
    """One dispatch step."""
    dispatch.run_once(house)


@deed(weight=2)
def work(world: World) -> None:
    """Everything that can be done now, by one worker."""
    drain()


@deed(weight=3)
def tick(world: World) -> None:
    world.note("ticks")
    for name, count in reconcile.tick_once().items():
        world.note(f"tick: {name}", count)


@deed(seconds=one_of(SPANS_S), weight=2)
def wait(world: World, seconds: int) -> None:
    virtual_clock.advance(seconds=seconds)


@deed(seconds=one_of(SPANS_S), weight=3)
def a_while(world: World, seconds: int) -> None:
    """Work, let time pass, take what the carriers say, tick."""
    drain()
    virtual_clock.advance(seconds=seconds)
    for house in world.houses.values():
        house.transport.pump()
    tick(world)
    drain()


@deed(seconds=one_of([1, 30, 600]))
def clock_goes_back(world: World, seconds: int) -> None:
    virtual_clock.advance(seconds=-seconds)
    world.note("clock moved back")


@deed(weight=2)
def query(world: World) -> None:
    """Ask the carriers about what is unknown, where it is time to."""
    for submission_id in resolving.due(world.now):
        world.note("carrier queries")
        resolving.query_once(submission_id)


# Frozen workers


def _begin(house: House) -> Claim | None:
    claim = claiming.claim(house.carrier)
    return claim if claim is not None and claim.rows else None


@deed(house=houses, stage=one_of(STAGES), weight=3)
def freeze(world: World, house: str, stage: str) -> None:
    """A worker takes a request and stops in the middle of it."""
    place = world.houses[house]
    if len(world.frozen) >= MOST_FROZEN or (claim := _begin(place)) is None:
        return
    worker = Frozen(place, claim, stage, world.now, place.carrier.prepare(claim.batch))
    if stage != "claimed":
        worker.asked_at = dispatch.begin(claim)
    if stage == "asked":
        worker.results = dispatch.submit(place.carrier, worker.prepared, time.monotonic() + 30)
    world.frozen.append(worker)
    world.note(f"frozen: {stage}")


@deed(index=which, weight=3)
def thaw(world: World, index: int) -> None:
    """It goes on as if nothing had happened; its deadline runs in the world's time."""
    if not world.frozen:
        return
    worker = world.frozen.pop(index % len(world.frozen))
    world.note(f"thawed: {worker.stage}")
    if worker.asked_at is None:
        worker.asked_at = dispatch.begin(worker.claim)
        if worker.asked_at is None:
            world.note("thawed too late to begin")
            return
    if worker.results is None:
        late = (world.now - worker.at).total_seconds() >= conf.settings.SUBMIT_TIMEOUT_S
        deadline = time.monotonic() + (-1 if late else 30)
        worker.results = dispatch.submit(worker.house.carrier, worker.prepared, deadline)
    dispatch.record(worker.claim, worker.prepared, worker.results, worker.asked_at)


@deed(house=houses, stage=one_of(STAGES), weight=3)
def sleep_past_the_lease(world: World, house: str, stage: str) -> None:
    """A worker stops in the middle, the tick gives its request up, and then it goes on."""
    before = len(world.frozen)
    freeze(world, house, stage)
    if len(world.frozen) > before:
        virtual_clock.advance(seconds=125)
        reconcile.tick_once()
        thaw(world, before)


# The named crash points

POINTS = (*DISPATCH_POINTS, *APPLY_POINTS)


@deed(house=houses, point=one_of(DISPATCH_POINTS), weight=6)
def crash(world: World, house: str, point: str) -> None:
    """A worker is killed while it asks."""
    place = world.houses[house]
    if not Run.objects.filter(queued_count__gt=0, is_paused=False, carrier=house).exists():
        send_single(world, 0, 0 if house == "main" else 5, 0)
    if _crash(place, point):
        world.note(f"crash: {point}")


@deed(point=one_of(APPLY_POINTS), weight=4)
def crash_applying(world: World, point: str) -> None:
    """A worker is killed while it takes reports up."""
    virtual_clock.advance(seconds=5)
    for house in world.houses.values():
        house.transport.pump()
    if not Report.objects.filter(status=states.NEW).exists():
        return
    if point == "inside apply":
        _killed_inside(reports.apply_once)
    elif point == "after apply":
        reports.apply_once()
    world.note(f"crash: {point}")


def _killed_inside(work: Callable[[], object]) -> object:
    """Everything is written and nothing is committed."""
    found: list[object] = []
    try:
        with transaction.atomic():
            found.append(work())
            raise Killed
    except Killed:
        return found[0]


def _crash(house: House, point: str) -> bool:
    """Whether there was a request to be killed in."""
    if point == "inside tx1":
        return _killed_inside(lambda: _begin(house)) is not None
    if (claim := _begin(house)) is None:
        return False
    prepared = house.carrier.prepare(claim.batch)
    if point in ("after tx1", "before tx2"):
        return True
    asked_at = dispatch.begin(claim)
    # Up to the first byte the carrier has nothing that it could take for a request.
    if point in ("after tx2", "connected", "first byte") or asked_at is None:
        return True
    results = dispatch.submit(house.carrier, prepared, time.monotonic() + 30)
    if point in ("last byte", "before tx3"):
        return True
    if point == "inside tx3":
        _killed_inside(lambda: dispatch.record(claim, prepared, results, asked_at))
    else:
        dispatch.record(claim, prepared, results, asked_at)
    return True
