"""send_bulk against the ten-line reference: any recipients, prices, credit, balance and texts."""

from __future__ import annotations

import datetime as dt
import os

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulksms import clock, send_bulk
from bulksms.models import Organisation, Rate, Wallet
from bulksms.services import wallet
from bulksms.sms import segments
from tests.factories import make_organisation
from tests.flows.reference import Recipient, expected

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

#: `make properties` runs 2,000, the suite fewer.
CASES = int(os.environ.get("BULKSMS_CASES", "300"))

PREFIXES = ("25470", "25471", "25472")
TEXTS = st.sampled_from(["Hi", "a" * 160, "a" * 161, "é" * 71, "ж" * 71, "€" * 81])


@st.composite
def audiences(draw: st.DrawFn) -> tuple[list[tuple[str, int | None]], dict[str, int]]:
    """Recipients, some of them invalid and some twice, and a price per unit for each prefix."""
    prices = {prefix: draw(st.integers(0, 3_000_000)) for prefix in PREFIXES}
    number = st.builds(
        lambda prefix, rest: f"{prefix}{rest:07d}",
        st.sampled_from(PREFIXES),
        st.integers(1_000_001, 1_000_020),
    )
    bad = st.sampled_from(["x", "0712", "+1", "not a number", "071234567890123"])
    written = draw(st.lists(st.one_of(number, number, bad), min_size=1, max_size=12))
    return [(w, prices.get(w[:5])) for w in written], prices


@pytest.fixture
def organisation() -> Organisation:
    """One tenant for all cases: each case sets its prices and its money, and is rolled back."""
    return make_organisation(balance_micros=0, price_micros=None)


def set_up(organisation: Organisation, prices: dict[str, int], balance: int, credit: int) -> None:
    at = clock.now() - dt.timedelta(days=1)
    Rate.objects.bulk_create(
        Rate(
            organisation=organisation, prefix=prefix, currency="KES", price_micros=price,
            effective_from=at,
        )
        for prefix, price in prices.items()
    )  # fmt: skip
    Wallet.objects.filter(organisation=organisation).update(
        available_micros=balance, credit_limit_micros=credit
    )


@given(
    audience=audiences(),
    balance=st.integers(0, 12_000_000),
    credit=st.integers(0, 3_000_000),
    text=TEXTS,
)
@settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_who_is_queued_and_who_is_not_equals_the_reference(
    organisation: Organisation,
    audience: tuple[list[tuple[str, int | None]], dict[str, int]],
    balance: int,
    credit: int,
    text: str,
) -> None:
    written, prices = audience
    units = segments.count(text)[1]
    recipients = [Recipient(w, None if p is None else p * units) for w, p in written]
    queued, errors = expected(recipients, balance + credit)
    with transaction.atomic():
        set_up(organisation, prices, balance, credit)

        result = send_bulk(
            recipients=[w for w, _ in written], message=text, organisation=organisation
        )

        assert [d.number for d in result.drafts if not d.error] == queued
        assert [d.error for d in result.drafts if d.error] == errors
        assert result.duplicates == len(written) - len(result.drafts)
        prices_of = {recipient.number: recipient.price or 0 for recipient in recipients}
        assert result.total_cost_micros == sum(prices_of[number] for number in queued)
        left = wallet.of(organisation).available_micros
        assert left == balance - result.total_cost_micros >= -credit
        transaction.set_rollback(True)
