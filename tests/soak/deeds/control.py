"""What the owner of a campaign does to it after it was accepted."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from bulksms import states
from bulksms.exceptions import BulkSmsError
from bulksms.models import Campaign, Message
from bulksms.services import control, reports, retrying
from bulksms.services.retrying import Wanted
from bulksms.testing import virtual_clock
from tests.soak.deeds.registry import deed, may_be_refused, one_of, which, yes_or_no
from tests.soak.world import World


def pick(world: World, index: int) -> Campaign | None:
    """One of the campaigns; the deed is its organisation's."""
    found = list(Campaign.objects.order_by("id"))
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


@deed(index=which, weight=2)
def resume(world: World, index: int) -> None:
    if campaign := pick(world, index):
        with may_be_refused(world):
            control.resume(campaign.organisation, campaign.pk)
            world.note("resumed")


@deed(index=which)
def cancel(world: World, index: int) -> None:
    if campaign := pick(world, index):
        with may_be_refused(world):
            world.note("cancelled", control.cancel(campaign.organisation, campaign.pk).changed)


@deed(index=which, hours=one_of([1, 3, 60]))
def reschedule(world: World, index: int, hours: int) -> None:
    if campaign := pick(world, index):
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


@deed(index=which, wanted=one_of(sorted(WANTED)), dry_run=yes_or_no, weight=3)
def retry(world: World, index: int, wanted: str, dry_run: bool) -> None:
    if campaign := pick(world, index):
        with may_be_refused(world):
            found = retrying.retry(
                campaign.organisation, campaign.pk, WANTED[wanted], dry_run=dry_run
            )
            world.note("retried", 0 if dry_run else found.queued)


@deed(index=which, weight=3)
def retry_before_the_late_word(world: World, index: int) -> None:
    """It did not arrive, it is asked for again, and then it did arrive."""
    if campaign := pick(world, index):
        _listen(world)
        with suppress(BulkSmsError):
            retrying.retry(campaign.organisation, campaign.pk, Wanted())
        virtual_clock.advance(seconds=61)
        _listen(world)
        world.actor = None  # reports are the carriers' deeds


def _listen(world: World) -> None:
    for house in world.houses.values():
        house.transport.pump()
    while reports.apply_once():
        pass


@deed(index=which, accept=yes_or_no, weight=2)
def retry_one(world: World, index: int, accept: bool) -> None:
    """By its id: whatever state it is in, the service says whether that makes sense."""
    found = list(Message.objects.order_by("id").values_list("id", "status", "campaign_id"))
    if not found:
        return
    id_, status, campaign_id = found[index % len(found)]
    campaign = Campaign.objects.get(pk=campaign_id)
    world.actor = campaign.organisation_id
    with may_be_refused(world):
        wanted = Wanted(message_ids=[id_], accept_duplicates=accept)
        queued = retrying.retry(campaign.organisation, campaign.pk, wanted).queued
        world.note("retried", queued)
        if queued:
            assert status in states.RETRYABLE_BY_ID, status
            assert status != states.UNCONFIRMED or accept
            world.note("unconfirmed sent once more", status == states.UNCONFIRMED)
