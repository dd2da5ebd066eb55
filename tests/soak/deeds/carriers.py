"""Carriers and what they say: rules, outages, reports in any order, repeated, forged, late."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from bulksms.models import Report
from bulksms.services import reports
from tests.soak.deeds.registry import deed, houses, integers, lists, one_of, pairs, which, yes_or_no
from tests.soak.world import World

HOUR = 3_600
#: How a carrier may behave; the first one that matches decides each knob.
RULES: Mapping[str, Mapping[str, Any]] = {
    "undelivered": {"report": "undelivered"},
    "expired": {"report": "expired"},
    "rejected": {"report": "rejected"},
    "silent": {"report": False},
    "slow": {"report": {"state": "delivered", "delay_s": 2 * HOUR}},
    "late delivered": {"report": {"state": "delivered", "delay_s": 80 * HOUR}},
    "late undelivered": {"report": {"state": "undelivered", "delay_s": 80 * HOUR}},
    "late expired": {"report": {"state": "expired", "delay_s": 80 * HOUR}},
    "late rejected": {"report": {"state": "rejected", "delay_s": 80 * HOUR}},
    "three copies": {"report": {"state": "delivered", "copies": 3, "gap_s": 5}},
    "early": {"report": {"state": "delivered", "before_answer": True}},
    "on its way first": {"report": [{"state": "enroute"}, {"state": "delivered", "delay_s": 60}]},
    "changes its mind": {
        "report": [{"state": "undelivered"}, {"state": "delivered", "delay_s": 60}]
    },
    "an odd word": {"report": {"state": "lost_in_space"}},
    "busy twice": {"refuse": {"code": "temporary_failure", "tries": 2}},
    "throttled": {"refuse": {"code": "throttled", "tries": 1}},
    "bad number": {"refuse": "invalid_number"},
    "blocked": {"refuse": "blocked"},
    "out of credit": {"answer": {"code": "out_of_credit", "tries": 1}},
    "too many": {"answer": {"code": "throttled", "tries": 2, "retry_after_s": 5}},
    "answer lost": {"lose_answer": {"how": "close", "tries": 1}},
    "request lost": {"lose_request": {"how": "silence", "tries": 1}},
    "dropped after one": {"drop_after": {"accepted": 1, "how": "reset", "tries": 1}},
    "taken up late": {"process_late": {"after_s": 45, "how": "close", "tries": 1}},
    "a row missing": {"rows": {"shuffled": True, "missing": 1, "extra": 1}},
    "a page instead": {"body": "html"},
    "the query lags": {"query": {"lag_s": 30}},
}
some = lists(pairs(one_of(sorted(RULES)), one_of([None, 50])), 0, 3)


@deed(house=houses, rules=some, weight=4)
def behave(world: World, house: str, rules: Sequence[tuple[str, int | None]]) -> None:
    """From now on this carrier is like this."""
    world.houses[house].set_rules([
        {"name": f"{name} {number}", "match": {} if share is None else {"share": share},
         **RULES[name]}
        for number, (name, share) in enumerate(rules)
    ])  # fmt: skip


@deed(house=houses, down=yes_or_no)
def outage(world: World, house: str, down: bool) -> None:
    """Nobody answers the door: no byte of a request is written."""
    world.houses[house].transport.down = down
    world.note("carrier cannot be reached", down)


# Reports


@deed(house=houses, order=integers(0, 9), times=integers(1, 2), weight=3)
def hear(world: World, house: str, order: int, times: int) -> None:
    """The reports that are due arrive, in any order, perhaps each of them twice."""
    place = world.houses[house]
    callbacks = place.transport.due_callbacks()
    random.Random(order).shuffle(callbacks)
    for callback in callbacks:
        post = place.transport.account.post_of(callback, {})
        status = [place.deliver(*post) for _ in range(times)][-1]
        place.transport.account.settle(callback, status)
        world.note("report callbacks", times)


@deed(limit=one_of([1, 3, 500]), weight=3)
def apply(world: World, limit: int) -> None:
    world.note("reports applied", reports.apply_once(limit))


@deed(house=houses, index=which)
def repeat(world: World, house: str, index: int) -> None:
    """An old callback once more: nothing changes, not even what is stored."""
    place = world.houses[house]
    if place.heard:
        before = Report.objects.count()
        place.deliver(*place.heard[index % len(place.heard)])
        assert Report.objects.count() == before, "a repeated report was stored again"
        world.nothing_may_change = True
        world.note("report repeated")


@deed(house=houses, index=which)
def forge(world: World, house: str, index: int) -> None:
    """Somebody else's "delivered": refused, and nothing is stored."""
    place = world.houses[house]
    if place.heard:
        headers, body = place.heard[index % len(place.heard)]
        before = Report.objects.count()
        assert place.deliver(headers, body.replace(b"unde", b"de") + b" ") == 400
        assert Report.objects.count() == before
        world.nothing_may_change = True
        world.note("report forged")
