"""What a unit to a number costs, now, for this organisation."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q

from bulksms.models import Organisation, Rate


@dataclass(frozen=True, slots=True)
class Tariff:
    """The rates in force for one organisation at one moment: prefix -> micros per unit."""

    own: dict[str, int]
    default: dict[str, int]
    longest: int

    def price(self, number: str) -> int | None:
        """Micros per unit to ``number`` (E.164 digits); None = no rate, so never free.

        The organisation's own rates go first, whatever their prefix; then the longest prefix.
        """
        for rates in (self.own, self.default):
            for length in range(self.longest, -1, -1):
                found = rates.get(number[:length])
                if found is not None:
                    return found
        return None


def tariff(organisation: Organisation, currency: str, at: dt.datetime) -> Tariff:
    """Read the rates once; two queries' worth of rows at the most, whatever the batch."""
    rows = (
        Rate.objects.filter(Q(organisation=organisation) | Q(organisation=None))
        .filter(currency=currency, effective_from__lte=at)
        .order_by("effective_from", "id")
        .values_list("organisation_id", "prefix", "price_micros")
    )
    own: dict[str, int] = {}
    default: dict[str, int] = {}
    for owner, prefix, price in rows:
        (own if owner else default)[prefix] = price
    return Tariff(own, default, max((len(p) for p in (*own, *default)), default=0))
