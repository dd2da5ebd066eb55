"""What the owner of a campaign does to it after it was accepted."""

from __future__ import annotations

import datetime as dt

from bulksms import states
from bulksms.models import Campaign, Message
from bulksms.services import control, retrying
from bulksms.services.retrying import Wanted
from tests.soak.deeds.money import top_up
from tests.soak.deeds.registry import deed, may_be_refused, one_of, which, yes_or_no
from tests.soak.world import World


def pick(world: World, index: int, status: str = "") -> Campaign | None:
    """One of the campaigns, in this state if there are any; the deed is its organisation's."""
    campaigns = Campaign.objects.order_by("id")
    found = list(campaigns.filter(status=status) if status else ()) or list(campaigns)
    if not found:
        return None
    chosen = found[index % len(found)]
    world.actor = chosen.organisation_id
    return chosen


@deed(index=which)
def pause(world: World, index: int) -> None:
    if campaign := pick(world, index):
        with may_be_refused(world):
            control.pause(campaign.organisation, campaign.pk)
            world.note("paused")


@deed(index=which, aimed=yes_or_no, weight=2)
def resume(world: World, index: int, aimed: bool = False) -> None:
    if campaign := pick(world, index, states.PAUSED if aimed else ""):
        with may_be_refused(world):
            control.resume(campaign.organisation, campaign.pk)
            world.note("resumed")


@deed(index=which)
def cancel(world: World, index: int) -> None:
    if campaign := pick(world, index):
        waiting = campaign.queued_count
        with may_be_refused(world):
            told = control.cancel(campaign.organisation, campaign.pk)
            assert (told.changed, told.remaining) == (waiting, 0), "not what was waiting"
            assert told.gone == _left_the_house(campaign), "not what had left before"
            world.note("cancelled", told.changed)


def _left_the_house(campaign: Campaign) -> int:
    """The rows that a carrier was asked for and did not refuse."""
    here = (states.QUEUED, states.SKIPPED, states.FAILED, states.CANCELLED)
    rows = Message.objects.filter(campaign=campaign).exclude(status__in=here)
    return rows.exclude(status=states.EXPIRED, error="expired_in_queue").count()


@deed(index=which, hours=one_of([1, 3, 60]), aimed=yes_or_no)
def reschedule(world: World, index: int, hours: int, aimed: bool = False) -> None:
    if campaign := pick(world, index, states.SCHEDULED if aimed else ""):
        with may_be_refused(world):
            at = world.now + dt.timedelta(hours=hours)
            control.reschedule(campaign.organisation, campaign.pk, at)
            world.note("rescheduled")


WANTED = {
    "default": Wanted(),
    "failed": Wanted(statuses=(states.FAILED,)),
    "rejected": Wanted(statuses=(states.REJECTED, states.UNDELIVERED)),
    "unpaid": Wanted(errors=("insufficient_balance", "skipped", "spend_cap_reached")),
}


@deed(index=which, wanted=one_of(sorted(WANTED)), dry_run=yes_or_no, paid=yes_or_no, weight=3)
def retry(world: World, index: int, wanted: str, dry_run: bool, paid: bool = False) -> None:
    """Asked for again by state or error, perhaps after the payment that was missing."""
    if campaign := pick(world, index):
        if paid:
            top_up(world, world.index(campaign.organisation_id), 12, twice=False)
        with may_be_refused(world):
            found = retrying.retry(
                campaign.organisation, campaign.pk, WANTED[wanted], dry_run=dry_run
            )
            world.note("retried", 0 if dry_run else found.queued)
        if paid:
            world.nothing_may_change = False  # the payment stays


#: What is looked for first, "" for any; the rarer ones more often than they come up.
SEARCHED = ("", states.SKIPPED, states.REJECTED, states.UNCONFIRMED)


@deed(index=which, accept=yes_or_no, status=one_of(SEARCHED), paid=yes_or_no, weight=3)
def retry_one(world: World, index: int, accept: bool, status: str = "", paid: bool = False) -> None:
    """By its id: whatever state it is in, the service says whether that makes sense."""
    rows = Message.objects.order_by("id")
    found = list(rows.filter(status=status)) or list(rows)
    if not found:
        return
    chosen = found[index % len(found)]
    if paid:
        top_up(world, world.index(chosen.organisation_id), 12, twice=False)
    retry_message(world, chosen, accept=accept)
    if paid:
        world.nothing_may_change = False  # the payment stays


def retry_message(world: World, row: Message, *, accept: bool) -> None:
    campaign = row.campaign
    world.actor = campaign.organisation_id
    with may_be_refused(world):
        wanted = Wanted(message_ids=[row.id], accept_duplicates=accept)
        queued = retrying.retry(campaign.organisation, campaign.pk, wanted).queued
        world.note("retried", queued)
        if queued:
            assert row.status in states.RETRYABLE_BY_ID, row.status
            assert row.status != states.UNCONFIRMED or accept
            world.note("unconfirmed sent once more", row.status == states.UNCONFIRMED)
