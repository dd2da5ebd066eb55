"""Writing an accepted request: its campaign, its hold, its rows; all is checked before."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from django.db import IntegrityError, transaction

from bulksms import ids, queues, states
from bulksms.exceptions import InvalidRequest
from bulksms.models import Campaign, Hold, Organisation, Wallet
from bulksms.services import outbox, validation, wallet
from bulksms.services.outbox import Draft
from bulksms.services.recipients import Drafts
from bulksms.services.validation import BulkRequest, Terms


def make_campaign(
    organisation: Organisation,
    currency: str,
    request: BulkRequest,
    terms: Terms,
    found: Drafts,
    kind: str,
    now: dt.datetime,
) -> Campaign:
    """The campaign's row. Raises InvalidRequest for a reference that was just taken."""
    counts = Counter(draft.status for draft in found.rows)
    total, queued = len(found.rows), counts[states.QUEUED]
    later = terms.due_at > now
    campaign = Campaign(
        id=ids.new(),
        organisation=organisation,
        kind=kind,
        message=str(request.message) if request.messages is None else "",
        sender=terms.sender,
        currency=currency,
        priority=request.priority,
        reference=request.reference,
        request_sha256=request.request_sha256 if request.references else "",
        user_label=request.user_label,
        name=request.name,
        tags=list(request.tags),
        metadata=dict(request.metadata),
        is_sensitive=request.sensitive,
        scheduled_at=terms.due_at if later else None,
        created_at=now,
        expires_at=terms.expires_at,
        recipients_count=total,
        duplicates_count=found.duplicates,
        queued_count=queued,
        failed_count=counts[states.FAILED],
        skipped_count=counts[states.SKIPPED],
        done_count=total - queued,
        status=_first_status(queued, later),
        finished_at=None if queued else now,
    )
    _insert(campaign)
    return campaign


def _first_status(queued: int, later: bool) -> str:
    if not queued:
        return states.COMPLETED
    return states.SCHEDULED if later else states.QUEUED


def _insert(campaign: Campaign) -> None:
    """Two requests with one reference may meet here: the second one is told so."""
    if not campaign.reference:
        campaign.save(force_insert=True)
        return
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError as error:
        raise InvalidRequest([validation.REFERENCE_TAKEN]) from error


def store(
    campaign: Campaign, purse: Wallet, drafts: Sequence[Draft], total: int, terms: Terms
) -> None:
    """Hold ``total`` micros, write the messages, nudge a worker after the commit."""
    hold: Hold | None = None
    if campaign.queued_count:
        hold = wallet.reserve(purse, campaign, total)
        wallet.close_empty(hold)
    outbox.enqueue(campaign, hold, drafts, terms.due_at)
    if campaign.status == states.QUEUED:
        for carrier in sorted({d.carrier for d in drafts if d.status == states.QUEUED}):
            queues.wake(queues.DISPATCH, carrier)
