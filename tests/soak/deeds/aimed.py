"""Deeds put together of others, for what chance alone brings about too seldom.

Each first lets people put right what is in its way, then lets a carrier take a paid request and say
of it what the deed is about.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import transaction

from bulksms import states
from bulksms.exceptions import BulkSmsError
from bulksms.models import Campaign, Message, Report
from bulksms.services import dispatch, reconcile, reports, retrying
from bulksms.services.retrying import Wanted
from bulksms.testing import virtual_clock
from tests.soak.deeds import carriers, control, engine, money, people, sending
from tests.soak.deeds.registry import deed, houses, integers, one_of, ours, which, yes_or_no
from tests.soak.world import SENDERS, House, World

#: (person, text): who goes to this carrier.
AUDIENCES = {"main": [[0, 0], [2, 0], [3, 0], [4, 0]], "second": [[5, 0], [6, 0], [5, 1], [6, 1]]}
#: The rarest ends that can be asked for again: what the carrier does, and after how long.
ENDINGS = {"rejected": ("rejected", 5), "unconfirmed": ("silent", 73 * carriers.HOUR)}
mostly = one_of([True, True, False])
seldom = one_of([True, False, False, False])
#: More than one paced request after the other, and an end where nothing can be asked for.
REQUESTS = 8


def ask(world: World, owner: int, house: str, *behaviours: str) -> Campaign | None:
    """A request that has been asked for, of a carrier that is like this; None if we refused it."""
    carriers.behave(world, house, [(name, None) for name in behaviours])
    world.houses[house].transport.down = False
    for name in (house, "*"):
        people.resume_carrier(world, name)
    people.approve_sender(world, owner, SENDERS[0])
    money.top_up(world, owner, 12, twice=False)
    before = set(Campaign.objects.values_list("id", flat=True))
    sending.send_personalised(world, owner, AUDIENCES[house], named=False, hours=0, reject=False)
    campaign = Campaign.objects.exclude(id__in=before).first()
    waiting = Message.objects.filter(campaign=campaign, status=states.QUEUED)
    for _ in range(REQUESTS):
        if campaign is None or not waiting.exists():
            break
        dispatch.run_once(house)
        virtual_clock.advance(seconds=1)
    # The parts of such a deed belong to several, and one that was refused has not undone the rest.
    world.actor, world.nothing_may_change = None, False
    return campaign


def listen(world: World, seconds: int) -> None:
    """Later: all that the carriers have said by then is taken up."""
    virtual_clock.advance(seconds=seconds)
    for house in world.houses.values():
        house.transport.pump()
    while reports.apply_once():
        pass


# Asked for again


@deed(owner=ours, house=houses, ending=one_of(sorted(ENDINGS)), accept=mostly)
def retry_what_ended(world: World, owner: int, house: str, ending: str, accept: bool) -> None:
    """It ended so that only somebody who asks for it has it sent once more."""
    behaviour, seconds = ENDINGS[ending]
    campaign = ask(world, owner, house, behaviour)
    if campaign is not None:
        listen(world, seconds)
        reconcile.tick_once()
        money.top_up(world, owner, 12, twice=False)
        ended = Message.objects.filter(campaign=campaign, status=ending).order_by("id").first()
        if ended is not None:
            control.retry_message(world, ended, accept=accept)
    world.actor, world.nothing_may_change = None, False


@deed(owner=ours, cap=integers(0, 2))
def retry_what_was_unpaid(world: World, owner: int, cap: int) -> None:
    """The day's cap ends a request in its middle; without the cap the rest of it goes too."""
    money.change_cap(world, owner, cap)
    campaign = ask(world, owner, "main")
    money.change_cap(world, owner, None)
    if campaign is not None:
        with suppress(BulkSmsError):
            queued = retrying.retry(campaign.organisation, campaign.pk, Wanted()).queued
            world.note("retried", queued)
    world.actor = None


@deed(index=which, told=seldom, weight=2)
def retry_before_the_late_word(world: World, index: int, told: bool = False) -> None:
    """It did not arrive, it is asked for again, and then it did arrive."""
    campaign = ask(world, index % 2, "main", "changes its mind") if told else None
    campaign = campaign or control.pick(world, index)
    if campaign is None:
        return
    listen(world, 0)
    with suppress(BulkSmsError):
        world.note("retried", retrying.retry(campaign.organisation, campaign.pk, Wanted()).queued)
    listen(world, 61)
    world.actor = None  # reports are the carriers' deeds


# Unknown


@deed(
    owner=ours, house=houses, asked=yes_or_no,
    ending=one_of(["rejected", "expired", "undelivered", "bad number"]),
)  # fmt: skip
def learn_what_is_unknown(world: World, owner: int, house: str, asked: bool, ending: str) -> None:
    """The answer is lost; what became of it is heard in a report, or asked for."""
    ask(world, owner, house, "answer lost", ending)
    if asked:
        virtual_clock.advance(seconds=310)
        engine.query(world)
    else:
        listen(world, 5)


# Two orders


@deed(
    house=houses, order=integers(0, 9),
    told=one_of([*[""] * 6, "on its way first", "three copies", "undelivered"]),
weight=2)  # fmt: skip
def hear_in_two_orders(world: World, house: str, order: int, told: str = "") -> None:
    """What is said of a message without contradiction ends the same in any order."""
    if told:
        ask(world, order % 2, house, told)
        virtual_clock.advance(seconds=61)
    place = world.houses[house]
    callbacks = place.transport.due_callbacks()
    posts = [place.transport.account.post_of(callback, {}) for callback in callbacks]
    shuffled = random.Random(order).sample(posts, len(posts))
    if len(posts) > 1:
        consistent = _consistent(place, posts)
        first, second = (_outcome(place, some, consistent) for some in (posts, shuffled[::-1]))
        assert first == second, "the order of reports matters"
        world.note("reports in two orders", bool(first))
    for callback, post in zip(callbacks, posts, strict=True):
        place.transport.account.settle(callback, place.deliver(*post))


Post = tuple[dict[str, str], bytes]


def _consistent(place: House, posts: Sequence[Post]) -> set[str]:
    """References of which everything heard, now and before, is one word."""
    words: dict[str, set[str]] = defaultdict(set)
    for report in Report.objects.exclude(reference="").values_list("reference", "state"):
        words[report[0]].add(report[1])
    for headers, body in posts:
        lower = {name.lower(): value for name, value in headers.items()}
        for parsed in place.carrier.parse_reports(lower, body):
            words[parsed.reference].add(parsed.state)
    return {reference for reference, found in words.items() if len(found - {""}) == 1}


def _outcome(place: House, posts: Sequence[Post], consistent: set[str]) -> list[Any]:
    heard = list(place.heard)
    with transaction.atomic():
        for post in posts:
            place.deliver(*post)
        while reports.apply_once(2):
            pass
        rows = Message.objects.filter(attempt=1).order_by("id")
        found = [
            row for row in rows.values_list("id", "status", "charge") if str(row[0]) in consistent
        ]
        transaction.set_rollback(True)
    place.heard[:] = heard
    return found
