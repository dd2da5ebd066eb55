"""Control of a campaign that was accepted: pause, resume, cancel, reschedule.

Schedule and pause live on the campaign and its runs, never on messages, so each of them is one
short transaction however many recipients there are. Once it has committed, nothing more is asked
for but what was already on its way to the carrier. Cancelling gives the money of every row back, so
it goes through the rows in bounded batches; the tick ends what is left over.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from bulksms import clock, conf, ids, queues, states
from bulksms.exceptions import Conflict, FieldError, InvalidRequest
from bulksms.models import Campaign, Message, Organisation, Run
from bulksms.reasons import EXPIRED_IN_QUEUE
from bulksms.services import settlement, validation
from bulksms.services.settlement import Move

#: Rows per transaction, and rows that a cancellation ends before it answers.
BATCH = 500
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of it: the campaign as it is now, and counts of messages, honest about the rest.

    ``changed``: how many were still queued and are now stopped, waiting again, or cancelled.
    ``remaining``: how many more a cancellation will end soon (the tick goes on with them).
    ``gone``: how many had left before: with the carrier, or on their way to it.
    """

    campaign: Campaign
    changed: int
    remaining: int = 0
    gone: int = 0


def pause(organisation: Organisation, campaign_id: UUID) -> Changed:
    """Ask for nothing more of this campaign until :func:`resume`. Its messages still expire.

    Raises NotFound; Conflict when nothing of it waits any more.
    """
    with transaction.atomic():
        campaign = settlement.lock_campaign(organisation, campaign_id)
        _check_not_cancelled(campaign)
        if not campaign.queued_count + campaign.sending_count:
            raise Conflict(
                f"Nothing of this campaign waits any more: it is {campaign.status}.",
                code="nothing_to_pause",
            )
        _set_paused(campaign, paused=True)
        campaign.status = states.PAUSED
        campaign.save(update_fields=("status",))
    return _changed(campaign, campaign.queued_count)


def resume(organisation: Organisation, campaign_id: UUID) -> Changed:
    """Go on where :func:`pause` stopped; a schedule that has passed meanwhile means now.

    Raises NotFound; Conflict when it is not paused.
    """
    now = clock.now()
    with transaction.atomic():
        campaign = settlement.lock_campaign(organisation, campaign_id)
        _check_not_cancelled(campaign)
        if campaign.status != states.PAUSED:
            raise Conflict(f"This campaign is {campaign.status}.", code="not_paused")
        _set_paused(campaign, paused=False)
        campaign.status = _after_pause(campaign, now)
        campaign.save(update_fields=("status",))
        if campaign.status != states.SCHEDULED:
            _wake(campaign)
    return _changed(campaign, campaign.queued_count)


def reschedule(organisation: Organisation, campaign_id: UUID, scheduled_at: dt.datetime) -> Changed:
    """Let a campaign that waits for its time leave at another one.

    It expires 48 hours after the new time, unless its request named another moment. Raises
    NotFound; InvalidRequest (field ``scheduled_at``); Conflict when it does not wait for its time.
    """
    now = clock.now()
    with transaction.atomic():
        campaign = settlement.lock_campaign(organisation, campaign_id)
        if campaign.started_at is not None or campaign.scheduled_at is None or campaign.finished_at:
            raise Conflict(
                f"Only a campaign that waits for its time can be rescheduled; this one is"
                f" {campaign.status}.",
                code="not_scheduled",
            )
        _check_time(campaign, scheduled_at, now)
        campaign.scheduled_at = scheduled_at
        if campaign.status != states.PAUSED:
            campaign.status = states.SCHEDULED
        campaign.save(update_fields=("scheduled_at", "expires_at", "status"))
        Run.objects.filter(campaign=campaign).update(due_at=scheduled_at)
    return _changed(campaign, campaign.queued_count)


def cancel(organisation: Organisation, campaign_id: UUID) -> Changed:
    """End what is still queued and give its money back; what left before goes on.

    A row that comes back to the queue later (refused for the moment) is cancelled then. Raises
    NotFound; Conflict when the campaign is finished.
    """
    now = clock.now()
    with transaction.atomic():
        campaign = settlement.lock_campaign(organisation, campaign_id)
        if campaign.finished_at is not None:
            raise Conflict(f"This campaign is {campaign.status}.", code="campaign_finished")
        if campaign.queued_count + campaign.sending_count:
            _set_paused(campaign, paused=True)
            campaign.cancelled_at = campaign.cancelled_at or now
            if campaign.status == states.PAUSED:
                campaign.status = states.SENDING
            campaign.save(update_fields=("cancelled_at", "status"))
    cancelled = end_queued(campaign.pk, now, AT_ONCE) if campaign.cancelled_at else 0
    campaign.refresh_from_db()
    return _changed(campaign, cancelled, campaign.queued_count)


def cancel_rest(now: dt.datetime) -> int:
    """The tick's part: what waits, or waits again, of cancelled campaigns; how many it ended."""
    left = Campaign.objects.filter(cancelled_at__isnull=False, queued_count__gt=0)
    found = left.order_by("cancelled_at").values_list("pk", flat=True)
    return sum(end_queued(campaign_id, now, AT_ONCE) for campaign_id in found[:BATCH])


def end_queued(campaign_id: UUID, now: dt.datetime, most: int) -> int:
    """Cancel up to ``most`` queued rows of a campaign, a batch per transaction; how many it was."""
    queued = Message.objects.filter(campaign_id=campaign_id, status=states.QUEUED)
    ended = 0
    while ended < most and (found := list(queued.values_list("id", flat=True)[:BATCH])):
        moves = [
            Move(
                id_, states.CANCELLED, error="cancelled", only_from=frozenset({states.QUEUED}),
                error_detail="Cancelled before it was sent.",
            )
            for id_ in found
        ]  # fmt: skip
        with transaction.atomic():
            moved = settlement.apply(moves, {campaign_id}, key=f"cancel:{ids.new()}", now=now)
        if not moved.counts:
            break
        ended += moved.counts.total()
    return ended


# The campaign and its runs


def _check_not_cancelled(campaign: Campaign) -> None:
    """What is cancelled and still being ended would go on after a pause. Raises Conflict."""
    if campaign.cancelled_at is not None and campaign.finished_at is None:
        raise Conflict("This campaign is being cancelled.", code="being_cancelled")


def _set_paused(campaign: Campaign, *, paused: bool) -> None:
    Run.objects.filter(campaign=campaign).update(is_paused=paused)


def _after_pause(campaign: Campaign, now: dt.datetime) -> str:
    if campaign.queued_count + campaign.sending_count == 0:
        return states.REPORTING
    if campaign.started_at is not None:
        return states.SENDING
    later = campaign.scheduled_at is not None and campaign.scheduled_at > now
    return states.SCHEDULED if later else states.QUEUED


def _check_time(campaign: Campaign, scheduled_at: dt.datetime, now: dt.datetime) -> None:
    """Moves ``expires_at`` along where it is the default. Raises InvalidRequest."""
    errors = validation.moment_errors("scheduled_at", scheduled_at, now)
    if errors:
        raise InvalidRequest(errors)
    span = dt.timedelta(seconds=conf.settings.EXPIRY_S)
    if campaign.scheduled_at is not None and campaign.expires_at == campaign.scheduled_at + span:
        campaign.expires_at = scheduled_at + span
    elif scheduled_at >= campaign.expires_at:
        detail = f"It expires at {campaign.expires_at.isoformat()}, before it would be sent."
        raise InvalidRequest([FieldError("scheduled_at", "after_expiry", detail)])


def _wake(campaign: Campaign) -> None:
    waiting = Run.objects.filter(campaign=campaign, queued_count__gt=0)
    for carrier in sorted(set(waiting.values_list("carrier", flat=True))):
        queues.wake(queues.DISPATCH, carrier)


def _changed(campaign: Campaign, changed: int, remaining: int = 0) -> Changed:
    refused = campaign.skipped_count + campaign.failed_count + campaign.cancelled_count
    still_here = campaign.queued_count + refused + _expired_here(campaign)
    return Changed(campaign, changed, remaining, campaign.recipients_count - still_here)


def _expired_here(campaign: Campaign) -> int:
    """Rows that expired before anybody was asked; the counter has the carrier's ones too."""
    if not campaign.expired_count:
        return 0
    expired = Message.objects.filter(campaign=campaign, status=states.EXPIRED)
    return expired.filter(error=EXPIRED_IN_QUEUE).count()
