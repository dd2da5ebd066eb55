"""The first half of sending, which stores nothing and locks nothing: validate, then price.

A quote stops here; ``sending`` goes on to money and rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from bulksms.models import Organisation
from bulksms.services import pricing, recipients, suppression, validation, wallet
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
        found = recipients.with_own_texts(organisation, request.messages, common)
    else:
        text = str(request.message)
        found = recipients.with_one_text(organisation, request.recipients or (), text)
    _refuse_suppressed(organisation, found.rows)
    currency = wallet.of(organisation).currency
    _price(organisation, currency, found.rows, now)
    return Prepared(terms, found, currency)


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
