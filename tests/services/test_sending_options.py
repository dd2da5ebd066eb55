"""send_bulk's further fields: own texts, schedule, limits of cost, references, idempotency."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from bulksms import clock, send_bulk, send_sms, states
from bulksms.exceptions import IdempotencyMismatch, InvalidRequest, PaymentRequired
from bulksms.models import Campaign, Hold, IdempotencyKey, LedgerEntry, Message, Organisation
from bulksms.services import audit, wallet
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db


def send(organisation: Organisation, **options: Any) -> Any:
    defaults: dict[str, Any] = {"recipients": kenyan_numbers(2), "message": "Hi"}
    return send_bulk(**{**defaults, **options}, organisation=organisation)


def codes(organisation: Organisation, **options: Any) -> set[str]:
    with pytest.raises(InvalidRequest) as caught:
        send(organisation, **options)
    assert not Campaign.objects.filter(organisation=organisation).exists()
    return {error.code for error in caught.value.errors}


# Own texts


def test_each_recipient_gets_its_own_text(carrier: FakeCarrier) -> None:
    result = send_bulk(
        messages=[
            {"to": "0712345678", "variables": {"name": "Wanjiru", "sum": 1250}},
            {"to": "0723456789", "message": "A text of its own"},
            {"to": "0734567890", "variables": {"name": "Otieno"}},
        ],
        message="Dear {name}, your bill is KES {sum}.",
        organisation=make_organisation(),
    )
    carrier.run()

    texts = [record.text for record in carrier.transport.engine.oracle.records()]
    assert sorted(texts) == ["A text of its own", "Dear Wanjiru, your bill is KES 1250."]
    assert [(draft.status, draft.error) for draft in result.drafts] == [
        ("queued", ""),
        ("queued", ""),
        ("failed", "missing_variable"),
    ]


def test_the_same_number_with_another_text_is_no_duplicate() -> None:
    result = send_bulk(
        messages=[
            {"to": "0712345678", "message": "one"},
            {"to": "+254712345678", "message": "one"},
            {"to": "254712345678", "message": "two"},
        ],
        organisation=make_organisation(),
    )

    assert (result.queued, result.duplicates) == (2, 1)


def test_each_own_text_is_priced_by_its_own_parts() -> None:
    organisation = make_organisation(price_micros=1_000_000)

    result = send_bulk(
        messages=[
            {"to": "0712345678", "message": "a" * 161},
            {"to": "0723456789", "message": "a"},
            {"to": "0734567890", "message": "a" * 1531},
            {"to": "0745678901"},
        ],
        organisation=organisation,
    )

    assert [draft.units for draft in result.drafts[:2]] == [2, 1]
    assert result.total_cost_micros == 3_000_000
    assert [d.error for d in result.drafts[2:]] == ["message_too_long", "message_required"]


def test_a_value_never_reaches_into_an_object() -> None:
    result = send_bulk(
        messages=[{"to": "0712345678", "variables": {"x": {"secret": 1}}}],
        message="{x} {x.__class__}",
        organisation=make_organisation(),
    )

    assert result.drafts[0].error == "invalid_variable"


def test_either_recipients_or_messages() -> None:
    organisation = make_organisation()

    assert codes(organisation, messages=[{"to": "0712345678"}]) == {"recipients_or_messages"}
    assert "recipients_or_messages" in codes(organisation, recipients=None)


# When


def test_a_scheduled_campaign_waits_for_its_time(carrier: FakeCarrier) -> None:
    at = clock.now() + dt.timedelta(hours=2)
    result = send(make_organisation(), scheduled_at=at)
    assert result.campaign.status == states.SCHEDULED

    carrier.run(hours=1)
    assert carrier.total_accepted == 0
    carrier.run(hours=1, seconds=1)
    carrier.run()

    assert carrier.total_accepted == 2
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.scheduled_at) == (states.COMPLETED, at)
    assert campaign.expires_at == at + dt.timedelta(hours=48)


@pytest.mark.parametrize(
    ("name", "moment", "code"),
    [
        ("scheduled_at", dt.datetime(2026, 6, 1, 8), "time_zone_required"),  # noqa: DTZ001
        ("scheduled_at", virtual_clock.START - dt.timedelta(seconds=1), "in_the_past"),
        ("scheduled_at", virtual_clock.START + dt.timedelta(days=181), "too_far_ahead"),
        ("expires_at", virtual_clock.START, "in_the_past"),
    ],
)
def test_impossible_times_are_refused(name: str, moment: dt.datetime, code: str) -> None:
    assert codes(make_organisation(), **{name: moment}) == {code}


# Money


def test_nothing_is_stored_when_it_would_cost_more_than_max_cost() -> None:
    organisation = make_organisation(price_micros=1_000_000)

    with pytest.raises(PaymentRequired) as caught:
        send(organisation, max_cost="1.99")
    send(organisation, max_cost="2")

    assert caught.value.code == "max_cost_exceeded"
    assert caught.value.detail == "This would cost KES 2.00, more than max_cost KES 1.99."
    assert Campaign.objects.count() == 1


def test_reject_means_all_or_nothing() -> None:
    organisation = make_organisation(balance_micros=1_000_000, price_micros=1_000_000)

    with pytest.raises(PaymentRequired) as caught:
        send(organisation, on_insufficient_funds="reject")

    assert caught.value.code == "insufficient_balance"
    assert not Campaign.objects.exists()
    assert wallet.of(organisation).available_micros == 1_000_000


def test_the_daily_cap_stops_the_first_row_over_it_and_skips_the_rest() -> None:
    organisation = make_organisation(balance_micros=10_000_000, price_micros=1_000_000)
    wallet.set_spend_cap(organisation, 2_500_000)

    result = send(organisation, recipients=kenyan_numbers(4))

    assert [(d.error, d.detail) for d in result.drafts] == [
        ("", ""),
        ("", ""),
        (
            "spend_cap_reached",
            "Daily spend cap reached. Required KES 1.00, left today KES 0.50.",
        ),
        ("skipped", "Processing stopped because the daily spend cap was reached."),
    ]
    virtual_clock.advance(hours=24)
    assert send(organisation).queued == 2
    assert list(audit.faults()) == []


# Labels


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"tags": ["x"] * 21}, "too_many_tags"),
        ({"tags": ["x" * 51]}, "invalid_tag"),
        ({"tags": [""]}, "invalid_tag"),
        ({"metadata": {"x": "y" * 5000}}, "metadata_too_large"),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "metadata_too_deep"),
        ({"metadata": {"x": float("nan")}}, "invalid_metadata"),
        ({"reference": "r" * 256}, "reference_too_long"),
        ({"priority": "urgent"}, "invalid_choice"),
        ({"priority": "high", "recipients": kenyan_numbers(101)}, "too_many_for_high_priority"),
        ({"max_cost": "1e3"}, "invalid_amount"),
        ({"max_cost": "-1"}, "invalid_amount"),
        ({"on_insufficient_funds": "maybe"}, "invalid_choice"),
    ],
)
def test_faulty_labels_and_limits_are_refused(options: dict[str, Any], code: str) -> None:
    assert codes(make_organisation(), **options) == {code}


def test_metadata_may_be_five_deep() -> None:
    assert send(make_organisation(), metadata={"a": {"b": {"c": {"d": 1}}}}).queued == 2


def test_a_reference_is_used_once_per_organisation() -> None:
    ours, theirs = make_organisation(), make_organisation()

    send(ours, reference="invoice-7")
    send(theirs, reference="invoice-7")
    with pytest.raises(InvalidRequest) as caught:
        send(ours, reference="invoice-7")

    assert caught.value.code == "reference_taken"
    assert Campaign.objects.filter(organisation=ours).count() == 1


# Idempotency


def test_the_same_key_is_the_same_request_once() -> None:
    organisation = make_organisation(balance_micros=1_500_000, price_micros=1_000_000)
    asked: dict[str, Any] = {"recipients": ["0712345678", "bad", "0723456789", "0734567890"]}

    first = send(organisation, idempotency_key="k1", **asked)
    wallet.top_up(organisation, 5_000_000, key="later")
    again = send(organisation, idempotency_key="k1", **asked)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.campaign.pk == first.campaign.pk
    assert [(d.id, d.number, d.input, d.status, d.error, d.detail) for d in again.drafts] == [
        (d.id, d.number, d.input, d.status, d.error, d.detail) for d in first.drafts
    ]
    assert again.total_cost_micros == first.total_cost_micros
    assert Hold.objects.count() == 1
    assert list(audit.faults()) == []


def test_the_same_key_for_another_request_is_refused() -> None:
    organisation = make_organisation()
    send(organisation, idempotency_key="k1")

    with pytest.raises(IdempotencyMismatch):
        send(organisation, idempotency_key="k1", message="Another text")

    assert Campaign.objects.count() == 1


def test_a_key_is_forgotten_after_a_day_and_belongs_to_its_organisation() -> None:
    ours, theirs = make_organisation(), make_organisation()
    send(ours, idempotency_key="k1")

    assert not send(theirs, idempotency_key="k1").replayed
    virtual_clock.advance(hours=24)
    assert not send(ours, idempotency_key="k1").replayed


def test_a_refused_request_leaves_its_key_free() -> None:
    organisation = make_organisation()
    with pytest.raises(InvalidRequest):
        send(organisation, idempotency_key="k1", message="")

    assert not IdempotencyKey.objects.exists()
    assert not send(organisation, idempotency_key="k1").replayed


def test_a_single_sms_takes_the_same_options() -> None:
    organisation = make_organisation()

    first = send_sms("0712345678", "Hi", organisation=organisation, idempotency_key="k1")
    again = send_sms("0712345678", "Hi", organisation=organisation, idempotency_key="k1")

    assert first.pk == again.pk
    assert Message.objects.count() == 1
    assert LedgerEntry.objects.filter(target="held").count() == 1
