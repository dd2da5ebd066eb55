"""What an organisation pays for a unit: its effective prices, and how they came about. Reads only.

Its own rates win over the default card whatever their prefix, so a default rate counts only where
no rate of its own stands above it. Amounts are micros of the wallet's currency.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import phonenumbers
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from bulksms import clock
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation, Rate
from bulksms.services import pricing, rates, wallet

INVALID_CURSOR = FieldError(
    "cursor", "invalid_cursor", "This is no cursor of yours. Give one as it was answered to you."
)
#: Prices shown at most: a default card may have every prefix of the world.
MAX_PRICES = 1_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a unit to numbers that start with ``prefix`` costs; ``until`` None: until further."""

    id: int
    prefix: str
    micros: int
    since: dt.datetime
    until: dt.datetime | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class Current:
    """``unit_micros``: the price of an ordinary mobile number at home; None = there is no rate."""

    currency: str
    unit_micros: int | None
    prices: Sequence[Price]


@dataclass(frozen=True, slots=True)
class Page:
    """Prices, newest first; the id after which to go on."""

    currency: str
    prices: Sequence[Price]
    next_id: int | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What can be spent and what is held. ``messages``: how many units that is; None = no limit,
    or nothing to divide by (no rate, or a free one)."""

    currency: str
    available_micros: int
    held_micros: int
    unit_micros: int | None
    messages: int | None


def current(organisation: Organisation) -> Current:
    """The prices in force."""
    now = clock.now()
    currency = wallet.of(organisation).currency
    own = rates.current(organisation, currency, now)
    default = rates.current(None, currency, now)
    above = tuple(rate.prefix for rate in own)
    counting = [*own, *(rate for rate in default if not rate.prefix.startswith(above))]
    prices = [_price(rate, None) for rate in sorted(counting, key=lambda rate: rate.prefix)]
    unit = unit_price(organisation, currency, now)
    return Current(currency, unit, prices[:MAX_PRICES])


def unit_price(organisation: Organisation, currency: str, at: dt.datetime) -> int | None:
    """Micros per unit to an ordinary mobile number of the organisation's region."""
    mobile = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(organisation.default_region, mobile)
    if example is None:
        return None
    number = f"{example.country_code}{phonenumbers.national_significant_number(example)}"
    return pricing.tariff(organisation, currency, at).price(number)


def history(organisation: Organisation, *, after: int | None = None, limit: int = 20) -> Page:
    """Its own and the default rates in its currency, with those to come, newest first (keyset).

    Raises InvalidRequest when ``after`` is none of them.
    """
    currency = wallet.of(organisation).currency
    visible = Rate.objects.filter(Q(organisation=organisation) | Q(organisation=None))
    found = visible.filter(currency=currency)
    if after is not None:
        last = found.filter(id=after).first()
        if last is None:
            raise InvalidRequest([INVALID_CURSOR])
        earlier = Q(effective_from=last.effective_from, id__lt=last.id)
        found = found.filter(earlier | Q(effective_from__lt=last.effective_from))
    rows = list(found.order_by("-effective_from", "-id")[: limit + 1])
    until = _until(rows[:limit])
    prices = [_price(rate, until[rate.pk]) for rate in rows[:limit]]
    return Page(currency, prices, prices[-1].id if len(rows) > limit else None)


#: Whose rates: null is equal to nothing in SQL, so the default card is number 0.
_CARD = Coalesce("organisation_id", 0)


def _until(shown: Sequence[Rate]) -> dict[int, dt.datetime | None]:
    """Rate id -> when the next rate of the same card and prefix replaces it."""
    later = Rate.objects.alias(card=_CARD).filter(
        card=OuterRef("card"), prefix=OuterRef("prefix"), currency=OuterRef("currency"),
        effective_from__gt=OuterRef("effective_from"),
    )  # fmt: skip
    first = Subquery(later.order_by("effective_from").values("effective_from")[:1])
    rates_ = Rate.objects.alias(card=_CARD).filter(id__in=[rate.pk for rate in shown])
    return dict(rates_.values_list("pk", first))


def _price(rate: Rate, until: dt.datetime | None) -> Price:
    is_own = rate.organisation_id is not None
    return Price(rate.pk, rate.prefix, rate.price_micros, rate.effective_from, until, is_own)


def balance(organisation: Organisation) -> Balance:
    """What the organisation's wallet has, and how many units that buys."""
    purse = wallet.of(organisation)
    unit = unit_price(organisation, purse.currency, clock.now())
    spendable = wallet.spendable(purse)
    messages = None if spendable is None or not unit else max(spendable, 0) // unit
    held = wallet.held_micros(purse)
    return Balance(purse.currency, purse.available_micros, held, unit, messages)
