"""Sending: from a request to rows in the outbox, in one transaction that may be the caller's.

``send_bulk`` inside the host's ``transaction.atomic()`` commits or rolls back with it. Nothing here
touches the network: a worker is nudged after the commit.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from bulksms import clock, ids, money, queues, states
from bulksms.exceptions import FieldError, InvalidRequest, PaymentRequired
from bulksms.models import Campaign, Hold, Message, Organisation, Wallet
from bulksms.models.outbox import BULK, NORMAL, SINGLE
from bulksms.services import (
    idempotency,
    intake,
    labels,
    organisations,
    outbox,
    stops,
    validation,
    wallet,
)
from bulksms.services.idempotency import Once
from bulksms.services.outbox import Draft
from bulksms.services.recipients import Drafts
from bulksms.services.validation import PARTIAL, REJECT, BulkRequest, Terms

#: What the first row over a limit is told, and those after it.
STOPPED = {
    wallet.INSUFFICIENT_BALANCE: (
        "Insufficient balance. Required {required}, available {left}.",
        "Processing stopped due to insufficient balance.",
    ),
    wallet.SPEND_CAP_REACHED: (
        "Daily spend cap reached. Required {required}, left today {left}.",
        "Processing stopped because the daily spend cap was reached.",
    ),
}


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a request: its campaign and its recipients' drafts, in input order.

    ``replayed``: this is the result of an earlier request with the same idempotency key.
    """

    campaign: Campaign
    drafts: Sequence[Draft]
    queued: int
    #: What was held for it.
    total_cost_micros: int
    replayed: bool = False

    @classmethod
    def of(
        cls, campaign: Campaign, drafts: Sequence[Draft], held_micros: int, *,
        replayed: bool = False,
    ) -> BulkResult:  # fmt: skip
        queued = sum(draft.status == states.QUEUED for draft in drafts)
        return cls(campaign, drafts, queued, held_micros, replayed)

    @property
    def id(self) -> UUID:
        return self.campaign.id

    @property
    def failed(self) -> int:
        """Refused and skipped ones: ``queued + failed`` is the number of unique recipients."""
        return len(self.drafts) - self.queued

    @property
    def duplicates(self) -> int:
        return self.campaign.duplicates_count


def send_bulk(
    *,
    recipients: Sequence[object] | None = None,
    message: str | None = None,
    messages: Sequence[Mapping[str, Any]] | None = None,
    organisation: Organisation | None = None,
    sender_id: str | None = None,
    scheduled_at: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    priority: str = NORMAL,
    reference: str = "",
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    max_cost: Decimal | str | None = None,
    on_insufficient_funds: str = PARTIAL,
    idempotency_key: str = "",
) -> BulkResult:
    """Accept a request for up to 10,000 recipients: price, hold and queue them, all or nothing.

    Either ``recipients`` with one ``message`` for all, or ``messages``: mappings with ``to`` and,
    each optional, ``message`` and ``variables`` for its ``{placeholders}``. Without an
    ``organisation`` the house organisation sends. ``max_cost`` is in the wallet's currency.

    A recipient that is invalid, not allowed or not affordable is refused alone and reported in the
    result; from the first one that cannot be paid on, all are skipped. Call it last in your own
    transaction: it locks the organisation's wallet until you commit.

    Raises InvalidRequest, PaymentRequired (``max_cost`` exceeded, or ``on_insufficient_funds`` is
    "reject"), SendingStopped, WalletBusy and RequestRunning (try again later),
    IdempotencyMismatch. Then nothing is stored.
    """
    request = BulkRequest(
        recipients=recipients,
        message=message,
        messages=messages,
        sender_id=sender_id,
        scheduled_at=scheduled_at,
        expires_at=expires_at,
        priority=priority,
        reference=reference,
        tags=tuple(tags),
        metadata=metadata or {},
        max_cost=max_cost,
        on_insufficient_funds=on_insufficient_funds,
    )
    once = _once(idempotency_key, request, BULK)
    return send(organisation or organisations.house(), request, once=once)


def send_sms(
    mobile: str, message: str, *, organisation: Organisation | None = None, **options: Any
) -> Message:
    """Accept one SMS and return its row (``status`` queued, or failed with ``error``).

    ``options`` are those of :func:`send_bulk`. Raises as it does.
    """
    key = options.pop("idempotency_key", "")
    request = BulkRequest(recipients=[mobile], message=message, **options)
    owner = organisation or organisations.house()
    result = send(owner, request, kind=SINGLE, once=_once(key, request, SINGLE))
    return Message.objects.get(pk=result.drafts[0].id)


def _once(key: str, request: BulkRequest, kind: str) -> Once | None:
    return Once(key, idempotency.digest((request, kind))) if key else None


def send(
    organisation: Organisation,
    request: BulkRequest,
    *,
    kind: str = BULK,
    once: Once | None = None,
) -> BulkResult:
    """What every way in comes down to. Raises as :func:`send_bulk`.

    A request with the same ``once`` as an earlier one gets that one's result (``replayed``).
    """
    now = clock.now()
    with transaction.atomic():
        stops.check_intake(organisation)
        if once:
            first = idempotency.claim(organisation, once, now)
            if first is not None:
                return replay(first)
        result = _accept(organisation, request, kind, now)
        if once:
            idempotency.finish(organisation, once, result.campaign)
    return result


def send_one(
    organisation: Organisation, request: BulkRequest, *, once: Once | None = None
) -> BulkResult:
    """A single SMS, all or nothing: one that cannot be queued is an error, and nothing is stored.

    Raises InvalidRequest (field ``mobile``) and as :func:`send_bulk` does.
    """
    with transaction.atomic():
        result = send(organisation, request, kind=SINGLE, once=once)
        for draft in result.drafts:
            if draft.status != states.QUEUED:
                raise InvalidRequest([FieldError("mobile", draft.error, draft.detail)])
    return result


def _accept(
    organisation: Organisation, request: BulkRequest, kind: str, now: dt.datetime
) -> BulkResult:
    terms, found, currency = intake.prepare(organisation, request, now)
    purse = wallet.lock(organisation)
    # Looked at before, too; but under this lock the organisation's requests take turns.
    if labels.holders(organisation, request.references):
        raise InvalidRequest([validation.REFERENCE_TAKEN])
    total = _fund(purse, found.rows, request, terms, now)
    campaign = _campaign(organisation, currency, request, terms, found, kind, now)
    _store(campaign, purse, found.rows, total, terms)
    if request.own and not labels.write(campaign, (draft.id for draft in found.rows), request.own):
        raise InvalidRequest([validation.REFERENCE_TAKEN])
    return BulkResult.of(campaign, found.rows, total)


def _fund(
    purse: Wallet,
    drafts: Sequence[Draft],
    request: BulkRequest,
    terms: Terms,
    now: dt.datetime,
) -> int:
    """Apply the funds rule to the drafts; returns what must be held, in micros.

    Raises PaymentRequired.
    """
    costs = [None if draft.error else draft.cost_micros for draft in drafts]
    plan = wallet.plan(costs, wallet.spendable(purse), wallet.cap_left(purse, now))
    if plan.stopped_at is not None:
        _stop(drafts, plan, purse.currency, request)
    if terms.max_cost_micros is not None and plan.total_micros > terms.max_cost_micros:
        cost = money.sentence(plan.total_micros, purse.currency)
        allowed = money.sentence(terms.max_cost_micros, purse.currency)
        raise PaymentRequired(
            f"This would cost {cost}, more than max_cost {allowed}.", code="max_cost_exceeded"
        )
    return plan.total_micros


def _stop(drafts: Sequence[Draft], plan: wallet.Plan, currency: str, request: BulkRequest) -> None:
    """The money, or the day's cap, ends at one row: it says so, every later one is skipped."""
    at, limit = plan.stopped_at or 0, plan.stopped_by or wallet.INSUFFICIENT_BALANCE
    by_balance = limit == wallet.INSUFFICIENT_BALANCE
    left = plan.available_micros if by_balance else plan.cap_left_micros
    sentence, skipped = STOPPED[limit]
    detail = sentence.format(
        required=money.sentence(drafts[at].cost_micros, currency),
        left=money.sentence(left or 0, currency),
    )
    if request.on_insufficient_funds == REJECT:
        raise PaymentRequired(detail, code=limit)
    drafts[at].refuse(limit, detail)
    for draft in drafts[at + 1 :]:
        draft.refuse("skipped", skipped, states.SKIPPED)


# Rows


def _campaign(
    organisation: Organisation,
    currency: str,
    request: BulkRequest,
    terms: Terms,
    found: Drafts,
    kind: str,
    now: dt.datetime,
) -> Campaign:
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


def _store(
    campaign: Campaign, purse: Wallet, drafts: Sequence[Draft], total: int, terms: Terms
) -> None:
    hold: Hold | None = None
    if campaign.queued_count:
        hold = wallet.reserve(purse, campaign, total)
        wallet.close_empty(hold)
    outbox.enqueue(campaign, hold, drafts, terms.due_at)
    if campaign.status == states.QUEUED:
        for carrier in sorted({d.carrier for d in drafts if d.status == states.QUEUED}):
            queues.wake(queues.DISPATCH, carrier)


def replay(campaign: Campaign) -> BulkResult:
    """The first answer again, from the intake columns and the first hold, which never change.

    A row's price does: a retry asks for today's.
    """
    held = Hold.objects.filter(campaign=campaign, round=0).values_list("held_micros", flat=True)
    return BulkResult.of(campaign, outbox.drafts_of(campaign), sum(held), replayed=True)
