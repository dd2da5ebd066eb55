"""send_bulk: what is accepted, what is refused, what it costs; nothing half done."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bulksms import clock, send_bulk, send_sms, states
from bulksms.exceptions import InvalidRequest
from bulksms.models import Campaign, Hold, LedgerEntry, Message, Run
from bulksms.services import audit, organisations, wallet
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db


def rows(campaign: Campaign) -> list[tuple[str, str, str]]:
    found = Message.objects.filter(campaign=campaign).order_by("id")
    return list(found.values_list("number", "status", "error"))


def test_money_for_two_of_three_queues_two_and_says_why_the_third_failed() -> None:
    organisation = make_organisation(balance_micros=2_000_000, price_micros=1_000_000)

    result = send_bulk(
        recipients=["254712345678", "254723456789", "254734567890"],
        message="Your promo code is SAVE20!",
        organisation=organisation,
    )

    assert (result.queued, result.failed, result.total_cost_micros) == (2, 1, 2_000_000)
    assert rows(result.campaign) == [
        ("254712345678", "queued", ""),
        ("254723456789", "queued", ""),
        ("254734567890", "failed", "insufficient_balance"),
    ]
    refused = Message.objects.get(campaign=result.campaign, status=states.FAILED)
    assert refused.intake_detail == ("Insufficient balance. Required KES 1.00, available KES 0.00.")


def test_from_the_first_unaffordable_recipient_on_all_are_skipped_even_cheap_and_invalid() -> None:
    organisation = make_organisation(balance_micros=1_500_000, price_micros=1_000_000)
    organisations.set_rate(
        1, currency="KES", prefix="254733", organisation=organisation, at=organisation.created_at
    )

    result = send_bulk(
        recipients=["254712345678", "254723456789", "254733000001", "nonsense"],
        message="Hi",
        organisation=organisation,
    )

    assert [row[1:] for row in rows(result.campaign)] == [
        ("queued", ""),
        ("failed", "insufficient_balance"),
        ("skipped", "skipped"),
        ("skipped", "skipped"),
    ]


def test_a_balance_that_equals_the_price_is_enough_and_one_micro_less_is_not() -> None:
    exact = make_organisation(balance_micros=800_000, price_micros=800_000)
    short = make_organisation(balance_micros=799_999, price_micros=800_000)

    paid = send_bulk(recipients=["0712345678"], message="Hi", organisation=exact)
    unpaid = send_bulk(recipients=["0712345678"], message="Hi", organisation=short)

    assert (paid.queued, wallet.of(exact).available_micros) == (1, 0)
    assert (unpaid.queued, wallet.of(short).available_micros) == (0, 799_999)


def test_duplicates_are_counted_after_normalising_and_the_first_one_stays() -> None:
    result = send_bulk(
        recipients=["0712 345 678", "+254712345678", "254712345678", "x", " x "],
        message="Hi",
        organisation=make_organisation(),
    )

    assert result.duplicates == 3
    assert [(d.number, d.input) for d in result.drafts] == [
        ("254712345678", "0712 345 678"),
        ("", "x"),
    ]


def test_a_number_without_a_rate_is_refused_and_never_free() -> None:
    organisation = make_organisation(price_micros=None)

    result = send_bulk(recipients=["0712345678"], message="Hi", organisation=organisation)

    assert rows(result.campaign) == [("254712345678", "failed", "no_rate")]


def test_another_country_is_refused_unless_the_organisation_may_send_there() -> None:
    home = make_organisation()
    abroad = make_organisation()
    abroad.allowed_regions = "KE UG"
    abroad.save()

    refused = send_bulk(recipients=["+256772123456"], message="Hi", organisation=home)
    accepted = send_bulk(recipients=["+256772123456"], message="Hi", organisation=abroad)

    assert rows(refused.campaign) == [("256772123456", "failed", "destination_not_allowed")]
    assert accepted.queued == 1


def test_a_long_text_costs_a_unit_per_part() -> None:
    organisation = make_organisation(price_micros=800_000)

    result = send_bulk(recipients=["0712345678"], message="a" * 161, organisation=organisation)

    message = Message.objects.get(campaign=result.campaign)
    assert (message.units, message.cost_micros) == (2, 1_600_000)


def test_a_campaign_of_which_nothing_was_queued_is_completed_and_holds_nothing() -> None:
    result = send_bulk(recipients=["x", "y"], message="Hi", organisation=make_organisation())

    assert result.campaign.status == states.COMPLETED
    assert not Hold.objects.filter(campaign=result.campaign).exists()
    assert list(audit.faults()) == []


@pytest.mark.parametrize(
    ("recipients", "message", "sender", "codes"),
    [
        ([], "Hi", None, {"recipients_empty"}),
        (["0712345678"] * 10_001, "Hi", None, {"too_many_recipients"}),
        (["0712345678"], " \n", None, {"message_required"}),
        (["0712345678"], "a" * 1531, None, {"message_too_long"}),
        (["0712345678"], "half of a pair: \ud83d", None, {"message_invalid_characters"}),
        (["0712345678"], "Hi", "NOTMINE", {"sender_not_allowed"}),
        ([], "", "NOTMINE", {"recipients_empty", "message_required", "sender_not_allowed"}),
    ],
)
def test_a_faulty_request_names_every_fault_and_stores_nothing(
    recipients: list[str], message: str, sender: str | None, codes: set[str]
) -> None:
    organisation = make_organisation()

    with pytest.raises(InvalidRequest) as caught:
        send_bulk(
            recipients=recipients, message=message, sender_id=sender, organisation=organisation
        )

    assert {error.code for error in caught.value.errors} == codes
    assert not Campaign.objects.filter(organisation=organisation).exists()
    assert LedgerEntry.objects.filter(wallet__organisation=organisation).count() == 1


def test_a_sender_is_matched_without_case_and_sent_as_registered() -> None:
    organisation = make_organisation(sender="TukuPay")

    result = send_bulk(
        recipients=["0712345678"], message="Hi", sender_id="TUKUPAY", organisation=organisation
    )

    assert result.campaign.sender == "TukuPay"


def test_another_organisations_sender_is_not_allowed() -> None:
    make_organisation(sender="THEIRS")

    with pytest.raises(InvalidRequest) as caught:
        send_bulk(
            recipients=["0712345678"], message="Hi", sender_id="THEIRS",
            organisation=make_organisation(sender="OURS"),
        )  # fmt: skip

    assert caught.value.code == "sender_not_allowed"


def test_the_house_organisation_sends_at_once_and_its_cost_is_recorded() -> None:
    house = organisations.house()
    organisations.register_sender(house, "HOUSE", is_default=True)
    organisations.set_rate(800_000, currency="KES", at=clock.now())

    message = send_sms("0712345678", "Hi")

    assert (message.status, message.cost_micros) == (states.QUEUED, 800_000)
    assert wallet.of(house).available_micros == -800_000


def test_a_rollback_leaves_no_row_no_hold_and_no_run() -> None:
    organisation = make_organisation()

    with transaction.atomic():
        send_bulk(recipients=kenyan_numbers(5), message="Hi", organisation=organisation)
        transaction.set_rollback(True)

    for model in (Campaign, Message, Hold, Run):
        assert not model.objects.exists(), model
    assert wallet.of(organisation).available_micros == 10_000_000_000


def test_the_number_of_statements_does_not_depend_on_the_number_of_recipients() -> None:
    organisation = make_organisation()
    counts = []
    for size in (10, 4_000):
        with CaptureQueriesContext(connection) as queries:
            send_bulk(recipients=kenyan_numbers(size), message="Hi", organisation=organisation)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_numbers_and_texts_stay_out_of_reprs() -> None:
    result = send_bulk(
        recipients=["0712345678", "0713 bad"], message="s3cret", organisation=make_organisation()
    )

    shown = repr(result) + repr(result.drafts) + repr(result.campaign)

    assert "12345678" not in shown
    assert "0713" not in shown
    assert "s3cret" not in shown
