"""What this dialect answers about prices and the balance."""

from __future__ import annotations

import msgspec

from bulksms.api.outbox import outputs
from bulksms.api.outbox.outputs import Json
from bulksms.api.rendering import moment
from bulksms.services import costs


def current(found: costs.Current) -> Json:
    """What a unit costs now; ``unitCost`` is that of an ordinary mobile number at home."""
    return {
        "status": "success",
        "unitCost": _number(found.unit_micros),
        "currency": found.currency,
        "costs": [_price(price) for price in found.prices],
    }


def history(found: costs.Page, next_cursor: str | None) -> Json:
    """Prices as they came, newest first."""
    prices = [_price(p) | {"effectiveUntil": moment(p.until)} for p in found.prices]
    return {
        "status": "success",
        "currency": found.currency,
        "history": prices,
        "nextCursor": next_cursor,
    }


def balance(found: costs.Balance) -> Json:
    """``smsBalance``: how many units of ``unitCost`` the wallet has; null = without limit."""
    return {
        "status": "success",
        "balance": outputs.number(found.available_micros),
        "held": outputs.number(found.held_micros),
        "currency": found.currency,
        "unitCost": _number(found.unit_micros),
        "smsBalance": found.messages,
    }


def _price(price: costs.Price) -> Json:
    return {
        "prefix": price.prefix,
        "costPerUnit": outputs.number(price.micros),
        "isOwn": price.is_own,
        "effectiveFrom": moment(price.since),
    }


def _number(micros: int | None) -> msgspec.Raw | None:
    return None if micros is None else outputs.number(micros)
