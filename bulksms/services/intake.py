"""The first half of sending, which stores nothing and locks nothing: validate, then price.

A quote stops here; ``sending`` goes on to money and rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from bulksms.models import Message, Organisation
from bulksms.services import pricing, recipients, suppression, validation, wallet
from bulksms.services.labels import Own
from bulksms.services.outbox import Draft
from bulksms.services.recipients import Drafts
from bulksms.services.validation import BulkRequest, Terms


class Prepared(NamedTuple):
    """An acceptable request: its terms, its drafts with their prices, the wallet's currency."""

    terms: Terms
    found: Drafts
    currency: str


def prepare(organisation: Organisation, request: BulkRequest, now: dt.datetime) -> Prepared:
    """Validate and price. Raises InvalidRequest with every fault found."""
    terms = validation.check(organisation, request, now)
    if request.messages is not None:
        common = request.message if isinstance(request.message, str) else None
        found = recipients.with_own_texts(
            organisation, request.messages, common, keep_all=request.own is not None
        )
    else:
        text = str(request.message)
        found = recipients.with_one_text(organisation, request.recipients or (), text)
    if request.own and not terms.sender:
        _give_senders(organisation, request.own, found.rows)
    _refuse_suppressed(organisation, found.rows)
    currency = wallet.of(organisation).currency
    _price(organisation, currency, found.rows, now)
    return Prepared(terms, found, currency)


def prepare_again(
    organisation: Organisation, sender: str, messages: Sequence[Message], now: dt.datetime
) -> list[Draft]:
    """Validate and price stored messages as if they came today; ``sender``: their campaign's."""
    drafts = recipients.again(organisation, messages)
    find = validation.sender_finder(organisation)
    for draft in drafts:
        _, faults = find(draft.sender or sender)
        if faults and not draft.error:
            draft.refuse(faults[0].code, faults[0].detail)
    _refuse_suppressed(organisation, drafts)
    _price(organisation, wallet.of(organisation).currency, drafts, now)
    return drafts


def _give_senders(organisation: Organisation, own: Sequence[Own], drafts: Sequence[Draft]) -> None:
    """Each message its own sender; one that the organisation may not use fails its message."""
    find = validation.sender_finder(organisation)
    for draft, each in zip(drafts, own, strict=True):
        sender, faults = find(each.sender_id)
        draft.sender = sender or None
        if faults and not draft.error:
            draft.refuse(faults[0].code, faults[0].detail)


def _refuse_suppressed(organisation: Organisation, drafts: Sequence[Draft]) -> None:
    owner = organisation.pk
    listed = suppression.among((owner, draft.number) for draft in drafts if not draft.error)
    for draft in drafts if listed else ():
        if (owner, draft.number) in listed and not draft.error:
            draft.refuse(suppression.SUPPRESSED, suppression.DETAIL)


def _price(
    organisation: Organisation, currency: str, drafts: Sequence[Draft], now: dt.datetime
) -> None:
    """Freeze the price of each row that is not refused yet; no rate means refused, never free."""
    tariff = pricing.tariff(organisation, currency, now)
    for draft in drafts:
        if draft.error:
            continue
        price = tariff.price(draft.number)
        if price is None:
            draft.refuse("no_rate", f"There is no {currency} rate for this number.")
        else:
            draft.price_micros = price
