"""Charged twice, charged for nothing, refused with money in hand: what went wrong elsewhere.
docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms import send_bulk, states
from bulksms.models import Campaign, Hold, LedgerEntry, Message
from bulksms.models.wallet import HELD, SPENT
from bulksms.services import audit, dispatch, wallet
from bulksms.services.sending import BulkResult
from bulksms.testing import drain, tick, virtual_clock
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers, make_organisation
from tests.failures.world import PRICE, ask, begun, check, send, states_of
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db


def test_a_number_that_no_carrier_takes_costs_nothing(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "ROUTES": {"25471": "main"}}
    organisation = make_organisation(balance_micros=10 * PRICE, price_micros=PRICE)

    result = send_bulk(
        recipients=["0712345678", "0733345678"], message="Hi", organisation=organisation
    )

    assert [draft.status for draft in result.drafts] == [states.QUEUED, states.FAILED]
    assert result.total_cost_micros == PRICE
    assert wallet.of(organisation).available_micros == 9 * PRICE


def test_messages_of_a_carrier_that_was_removed_expire_and_all_their_money_comes_back(
    settings: Any,
) -> None:
    campaign = send(3)
    other = {"other": settings.BULKSMS["CARRIERS"]["main"]}
    settings.BULKSMS = {**settings.BULKSMS, "CARRIERS": other}

    for _ in range(5):
        virtual_clock.advance(hours=10)
        tick()
        drain()

    assert states_of(campaign) == {states.EXPIRED: 3}
    assert wallet.of(campaign.organisation).available_micros == 3 * PRICE
    assert list(audit.faults()) == []


def test_an_old_copy_of_the_wallet_in_memory_decides_nothing() -> None:
    organisation = make_organisation(balance_micros=PRICE, price_micros=PRICE)
    assert wallet.of(organisation).available_micros == PRICE  # what a host may have looked at

    results = [
        send_bulk(recipients=[number], message="Hi", organisation=organisation)
        for number in kenyan_numbers(3)
    ]

    assert [result.queued for result in results] == [1, 0, 0]
    assert wallet.of(organisation).available_micros == 0
    assert list(audit.faults()) == []


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_that_record_one_request_at_the_same_moment_pay_once(carrier: FakeCarrier) -> None:
    send(3)
    claimed, prepared, asked_at = begun(carrier)
    results = ask(carrier, prepared)

    outcomes = at_once([lambda: dispatch.record(claimed, prepared, results, asked_at)] * 4)

    assert outcomes == [None] * 4
    captures = LedgerEntry.objects.filter(source=HELD, target=SPENT)
    assert [entry.amount_micros for entry in captures] == [3 * PRICE]
    check(carrier)


def test_the_same_key_a_minute_later_gets_the_same_answer() -> None:
    """What the server made up itself (ids, times) is no part of what was asked."""
    organisation = make_organisation()
    asked: dict[str, Any] = {
        "recipients": kenyan_numbers(3), "message": "Hi", "organisation": organisation,
        "idempotency_key": "k1", "metadata": {"a": 1, "b": 2},
    }  # fmt: skip
    first = send_bulk(**asked)
    virtual_clock.advance(seconds=60)

    again = send_bulk(**{**asked, "metadata": {"b": 2, "a": 1}})

    assert (again.replayed, again.id) == (True, first.id)
    assert Message.objects.count() == 3


def test_the_same_key_of_two_organisations_is_two_requests() -> None:
    ours, theirs = make_organisation(), make_organisation()

    sent = [
        send_bulk(
            recipients=kenyan_numbers(1), message="Hi", organisation=owner, idempotency_key="k1"
        )
        for owner in (ours, theirs)
    ]

    assert [result.replayed for result in sent] == [False, False]
    assert sent[0].id != sent[1].id


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_client_that_repeats_a_big_send_while_the_first_still_runs_gets_one_campaign(
    carrier: FakeCarrier,
) -> None:
    organisation = make_organisation()
    numbers = kenyan_numbers(500)

    def post() -> BulkResult:
        return send_bulk(
            recipients=numbers, message="Hi", organisation=organisation, idempotency_key="k1"
        )

    results = at_once([post] * 5)

    answered = [result for result in results if isinstance(result, BulkResult)]
    assert len({result.id for result in answered}) == 1
    assert sum(not result.replayed for result in answered) == 1
    assert Campaign.objects.count() == Hold.objects.count() == 1
    drain()
    assert carrier.total_accepted == 500
    check(carrier)


def test_what_expires_in_our_queue_says_so_and_costs_nothing(carrier: FakeCarrier) -> None:
    carrier.transport.down = True
    campaign = send(3)
    drain()

    virtual_clock.advance(hours=49)
    tick()

    ends = Message.objects.values_list("status", "error", "error_detail", "charge")
    assert set(ends) == {
        (states.EXPIRED, "expired_in_queue", "Not sent before it expired.", states.RELEASED)
    }
    campaign.refresh_from_db()
    assert (campaign.status, campaign.expired_count) == (states.COMPLETED, 3)
    assert wallet.of(campaign.organisation).available_micros == 3 * PRICE
    check(carrier)
