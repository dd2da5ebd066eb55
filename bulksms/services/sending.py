"""Sending: from a request to rows in the outbox, in one transaction that may be the caller's.

``send_bulk`` inside the host's ``transaction.atomic()`` commits or rolls back with it. Nothing here
touches the network: a worker is nudged after the commit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from bulksms import clock, states
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Campaign, Hold, Message, Organisation
from bulksms.models.outbox import BULK, NORMAL, SINGLE
from bulksms.services import (
    accepted,
    affording,
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
from bulksms.services.validation import PARTIAL, BulkRequest


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
    sensitive: bool = False,
    idempotency_key: str = "",
) -> BulkResult:
    """Accept a request for up to 10,000 recipients: price, hold and queue them, all or nothing.

    Either ``recipients`` with one ``message`` for all, or ``messages``: mappings with ``to`` and,
    each optional, ``message`` and ``variables`` for its ``{placeholders}``. Without an
    ``organisation`` the house organisation sends. ``max_cost`` is in the wallet's currency.
    The texts of a ``sensitive`` request are blanked once nothing more is asked with them; no retry
    after that.

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
        sensitive=sensitive,
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
    total = affording.fund(purse, found.rows, request, terms, now)
    campaign = accepted.make_campaign(organisation, currency, request, terms, found, kind, now)
    accepted.store(campaign, purse, found.rows, total, terms)
    if request.own and not labels.write(campaign, (draft.id for draft in found.rows), request.own):
        raise InvalidRequest([validation.REFERENCE_TAKEN])
    return BulkResult.of(campaign, found.rows, total)


def replay(campaign: Campaign) -> BulkResult:
    """The first answer again, from the intake columns and the first hold, which never change.

    A row's price does: a retry asks for today's.
    """
    held = Hold.objects.filter(campaign=campaign, round=0).values_list("held_micros", flat=True)
    return BulkResult.of(campaign, outbox.drafts_of(campaign), sum(held), replayed=True)
