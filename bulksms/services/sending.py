"""Sending: from a request to rows in the outbox, in one transaction that may be the caller's.

``send_bulk`` inside the host's ``transaction.atomic()`` commits or rolls back with it. Nothing here
touches the network: a worker is nudged after the commit.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from bulksms import clock, conf, ids, money, queues, states
from bulksms.models import Campaign, Hold, Message, Organisation, Wallet
from bulksms.models.outbox import BULK, SINGLE
from bulksms.services import organisations, outbox, pricing, validation, wallet
from bulksms.services.outbox import Draft

INSUFFICIENT_BALANCE = "insufficient_balance"
SKIPPED_DETAIL = "Processing stopped due to insufficient balance."


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a request: its campaign and its recipients' drafts, in input order."""

    campaign: Campaign
    drafts: Sequence[Draft]
    queued: int
    failed: int
    duplicates: int
    total_cost_micros: int

    @property
    def id(self) -> UUID:
        return self.campaign.id


def send_bulk(
    *, recipients: Sequence[object], message: str, sender_id: str | None = None,
    organisation: Organisation | None = None,
) -> BulkResult:  # fmt: skip
    """Accept one text for up to 10,000 recipients: price, hold and queue them, all or nothing.

    A recipient that is invalid, not allowed or not affordable is refused alone and reported in the
    result. From the first one that cannot be paid on, all are skipped. Call it last in your own
    transaction: it locks the organisation's wallet until you commit.

    Raises InvalidRequest (nothing is stored), WalletBusy (try again).
    """
    return _send(organisation, recipients, message, sender_id, BULK)


def send_sms(
    mobile: str, message: str, *, sender_id: str | None = None,
    organisation: Organisation | None = None,
) -> Message:  # fmt: skip
    """Accept one SMS and return its row (``status`` queued, or failed with ``error``).

    Raises InvalidRequest (nothing is stored), WalletBusy (try again).
    """
    result = _send(organisation, [mobile], message, sender_id, SINGLE)
    return Message.objects.get(pk=result.drafts[0].id)


def _send(
    organisation: Organisation | None, recipients: Sequence[object], message: str,
    sender_id: str | None, kind: str,
) -> BulkResult:  # fmt: skip
    owner = organisation or organisations.house()
    with transaction.atomic():
        accepted = validation.check_bulk(owner, recipients, message, sender_id)
        now = clock.now()
        _price(owner, accepted.drafts, now)
        purse = wallet.lock(owner)
        total = _fund(purse, accepted.drafts)
        campaign = _campaign(owner, purse.currency, accepted, message, kind, now)
        hold = _store(campaign, purse, accepted.drafts, total)
        _check(campaign, hold, total)
    return BulkResult(
        campaign=campaign,
        drafts=accepted.drafts,
        queued=campaign.queued_count,
        failed=campaign.recipients_count - campaign.queued_count,
        duplicates=accepted.duplicates,
        total_cost_micros=total,
    )


def _price(organisation: Organisation, drafts: Sequence[Draft], now: dt.datetime) -> None:
    """Freeze the price of each row that is not refused yet; no rate means refused, never free."""
    currency = wallet.of(organisation).currency
    tariff = pricing.tariff(organisation, currency, now)
    for draft in drafts:
        if draft.error:
            continue
        price = tariff.price(draft.number)
        if price is None:
            draft.refuse("no_rate", f"There is no {currency} rate for this number.")
        else:
            draft.price_micros = price


def _fund(purse: Wallet, drafts: Sequence[Draft]) -> int:
    """Apply the funds rule to the drafts; returns what must be held, in micros."""
    costs = [None if draft.error else draft.cost_micros for draft in drafts]
    plan = wallet.plan(costs, wallet.spendable(purse))
    if plan.stopped_at is None:
        return plan.total_micros
    short = drafts[plan.stopped_at]
    required = money.sentence(short.cost_micros, purse.currency)
    available = money.sentence(plan.available_micros or 0, purse.currency)
    short.refuse(
        INSUFFICIENT_BALANCE, f"Insufficient balance. Required {required}, available {available}."
    )
    for draft in drafts[plan.stopped_at + 1 :]:
        draft.refuse("skipped", SKIPPED_DETAIL, states.SKIPPED)
    return plan.total_micros


def _campaign(
    organisation: Organisation, currency: str, accepted: validation.Accepted, message: str,
    kind: str, now: dt.datetime,
) -> Campaign:  # fmt: skip
    counts = Counter(draft.status for draft in accepted.drafts)
    total, queued = len(accepted.drafts), counts[states.QUEUED]
    return Campaign.objects.create(
        id=ids.new(), organisation=organisation, kind=kind, message=message,
        sender=accepted.sender, currency=currency, created_at=now,
        expires_at=now + dt.timedelta(seconds=conf.settings.EXPIRY_S),
        recipients_count=total, duplicates_count=accepted.duplicates, queued_count=queued,
        failed_count=counts[states.FAILED], skipped_count=counts[states.SKIPPED],
        done_count=total - queued, status=states.QUEUED if queued else states.COMPLETED,
        finished_at=None if queued else now,
    )  # fmt: skip


def _store(campaign: Campaign, purse: Wallet, drafts: Sequence[Draft], total: int) -> Hold | None:
    hold = wallet.reserve(purse, campaign, total) if campaign.queued_count else None
    outbox.enqueue(campaign, hold, drafts, campaign.created_at)
    for carrier in sorted({d.carrier for d in drafts if d.status == states.QUEUED}):
        queues.wake(queues.DISPATCH, carrier)
    return hold


def _check(campaign: Campaign, hold: Hold | None, total: int) -> None:
    """Free messages (a rate of zero) hold nothing, and such a hold is closed from the start."""
    if hold is not None and total == 0:
        wallet.close_empty(hold)
