"""Rows that nobody pays for: so many a day for an organisation, then 402."""

from __future__ import annotations

import pytest

from bulksms import send_bulk
from bulksms.exceptions import PaymentRequired
from bulksms.models import Campaign, Message, Wallet
from bulksms.services.sending import BulkResult
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _four_a_day(settings) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_UNFUNDED_A_DAY": 4}


@pytest.fixture
def poor(db):
    return make_organisation(balance_micros=0)


def send(organisation, recipients: list[str]) -> BulkResult:
    return send_bulk(recipients=recipients, message="Hi", organisation=organisation)


def test_the_limit_itself_is_stored_and_one_more_is_refused_whole(poor) -> None:
    assert send(poor, kenyan_numbers(3)).failed == 3
    assert send(poor, kenyan_numbers(1)).failed == 1

    with pytest.raises(PaymentRequired) as refused:
        send(poor, kenyan_numbers(1))

    assert refused.value.code == "too_many_unfunded"
    assert (Campaign.objects.count(), Message.objects.count()) == (2, 4)
    assert Wallet.objects.get(organisation=poor).unfunded_count == 4


def test_the_next_day_of_the_organisation_begins_at_zero(poor) -> None:
    send(poor, kenyan_numbers(4))
    virtual_clock.advance(hours=25)

    assert send(poor, kenyan_numbers(4)).failed == 4


def test_another_organisation_has_its_own_count(poor) -> None:
    send(poor, kenyan_numbers(4))

    assert send(make_organisation(balance_micros=0), kenyan_numbers(4)).failed == 4


def test_only_wrong_numbers_are_rows_that_nobody_pays_for() -> None:
    rich = make_organisation()

    with pytest.raises(PaymentRequired):
        send(rich, ["1", "2", "3", "4", "5"])


def test_wrong_numbers_beside_paid_ones_are_not_counted() -> None:
    rich = make_organisation()

    assert send(rich, [*kenyan_numbers(1), "1", "2", "3", "4", "5"]).failed == 5
    assert Wallet.objects.get(organisation=rich).unfunded_count == 0


def test_without_a_limit_nothing_is_counted(poor, settings) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_UNFUNDED_A_DAY": None}

    assert send(poor, kenyan_numbers(9)).failed == 9
    assert Wallet.objects.get(organisation=poor).unfunded_count == 0
