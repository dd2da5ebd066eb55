"""What a unit costs: whose rate, which prefix, from when; and no rate is never free."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from bulksms import clock
from bulksms.models import Organisation, Rate
from bulksms.services import organisations, pricing
from bulksms.testing import virtual_clock
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db

NUMBER = "254712345678"


@pytest.fixture
def acme() -> Organisation:
    return make_organisation(price_micros=None)


def rate(
    price: int, prefix: str = "", owner: Organisation | None = None, *, days: int = -1,
    currency: str = "KES",
) -> None:  # fmt: skip
    at = clock.now() + dt.timedelta(days=days)
    organisations.set_rate(price, currency=currency, prefix=prefix, organisation=owner, at=at)


def price(owner: Organisation, number: str = NUMBER, currency: str = "KES") -> int | None:
    return pricing.tariff(owner, currency, clock.now()).price(number)


def test_the_longest_prefix_wins(acme: Organisation) -> None:
    for prefix, micros in (("", 1), ("254", 2), ("254712", 3), ("25471", 4), ("2547123456789", 5)):
        rate(micros, prefix)

    assert price(acme) == 3
    assert price(acme, "254799999999") == 2
    assert price(acme, "256772123456") == 1


def test_an_own_rate_wins_over_a_longer_default_prefix(acme: Organisation) -> None:
    rate(9, "254712")
    rate(5, "", acme)

    assert price(acme) == 5


def test_a_number_that_the_own_card_does_not_have_falls_to_the_default_card(
    acme: Organisation,
) -> None:
    rate(9, "254")
    rate(5, "256", acme)

    assert price(acme) == 9
    assert price(acme, "256772123456") == 5


def test_another_organisations_card_counts_for_nothing(acme: Organisation) -> None:
    rate(5, "", make_organisation(price_micros=None))

    assert price(acme) is None


def test_a_new_rate_takes_over_at_its_own_moment(acme: Organisation) -> None:
    rate(5)
    rate(7, days=1)

    assert price(acme) == 5
    virtual_clock.advance(hours=23, minutes=59)
    assert price(acme) == 5
    virtual_clock.advance(minutes=1)
    assert price(acme) == 7


def test_a_rate_in_another_currency_is_no_rate(acme: Organisation) -> None:
    rate(5, currency="UGX")

    assert price(acme) is None
    assert price(acme, currency="UGX") == 5


def test_a_rate_of_zero_is_a_rate(acme: Organisation) -> None:
    rate(9, "254")
    rate(0, "254712")

    assert price(acme) == 0


def test_2_000_generated_lookups_equal_a_search_of_all_rows(acme: Organisation) -> None:
    draw = random.Random(3)
    now = clock.now()
    cards: dict[tuple[bool, str, int], int] = {}
    for _ in range(300):
        prefix = "2547123"[: draw.randrange(8)] + draw.choice(["", "1", "9"])
        cards[draw.random() < 0.5, prefix, draw.randrange(-3, 4)] = draw.randrange(100)
    Rate.objects.bulk_create(
        Rate(
            organisation=acme if own else None, prefix=prefix, currency="KES", price_micros=micros,
            effective_from=now + dt.timedelta(days=day),
        )
        for (own, prefix, day), micros in cards.items()
    )  # fmt: skip

    for day in range(-4, 5):
        tariff = pricing.tariff(acme, "KES", now + dt.timedelta(days=day))
        for _ in range(230):
            number = "2547123456"[: draw.randrange(11)] + str(draw.randrange(10**5))
            fitting = [
                (own, len(prefix), since, micros)
                for (own, prefix, since), micros in cards.items()
                if number.startswith(prefix) and since <= day
            ]
            assert tariff.price(number) == (max(fitting)[3] if fitting else None), (day, number)
