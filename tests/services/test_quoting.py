"""A quote says what sending would do, and stores nothing."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from bulksms import send_bulk
from bulksms.models import Campaign, LedgerEntry, Message
from bulksms.services import quoting
from bulksms.services.validation import BulkRequest
from tests.factories import make_key, make_organisation

pytestmark = pytest.mark.django_db

NUMBERS = ["0712345678", "+254712345678", "nonsense", "+256772123456", "0723456789", "0734567890"]


def test_a_quote_equals_what_sending_then_does() -> None:
    organisation = make_organisation(balance_micros=2_500_000, price_micros=1_000_000)

    quote = quoting.quote(organisation, BulkRequest(recipients=NUMBERS, message="Hi"))
    before = (Campaign.objects.count(), Message.objects.count(), LedgerEntry.objects.count())
    result = send_bulk(recipients=NUMBERS, message="Hi", organisation=organisation)

    assert before == (0, 0, 1)
    assert (quote.sendable, quote.total_micros, quote.affordable) == (3, 3_000_000, 2)
    assert quote.affordable == result.queued
    assert quote.duplicates == result.duplicates == 1
    refused = [row.draft.error for row in quote.rows if row.draft.error]
    assert refused == ["invalid_recipient", "destination_not_allowed"]


def test_a_quote_names_the_characters_that_make_a_text_unicode_and_what_they_cost() -> None:
    organisation = make_organisation(price_micros=800_000)
    text = "It’s due — pay today. " + "a" * 60

    quote = quoting.quote(organisation, BulkRequest(recipients=["0712345678"], message=text))

    assert {(one.code_point, one.recipients) for one in quote.forcing} == {
        ("U+2019", 1),
        ("U+2014", 1),
    }
    assert quote.rows[0].encoding == "ucs2"
    assert (quote.total_micros, quote.saving_micros) == (1_600_000, 800_000)


def test_the_endpoint_gives_the_same(client: Client) -> None:
    organisation = make_organisation(balance_micros=2_500_000, price_micros=1_000_000)

    response = client.post(
        "/v1/sms/quote/",
        data=json.dumps({"recipients": NUMBERS, "message": "Hi"}),
        content_type="application/json",
        headers={"authorization": f"Bearer {make_key(organisation, ('read',))}"},
    )

    answer = response.json()
    assert response.status_code == 200
    assert (answer["total"], answer["sendable"], answer["affordable"]) == (5, 3, 2)
    assert (answer["total_cost"], answer["available"], answer["currency"]) == (
        "3.00", "2.50", "KES",
    )  # fmt: skip
    assert answer["results"][0] == {
        "mobile": "254712345678",
        "input": "0712345678",
        "encoding": "gsm7",
        "units": 1,
        "price_per_unit": "1.00",
        "cost": "1.00",
        "error": None,
        "detail": None,
    }
    assert answer["results"][1]["error"] == "invalid_recipient"
    assert not Campaign.objects.exists()


def test_the_command_says_it_in_words() -> None:
    organisation = make_organisation(balance_micros=2_500_000, price_micros=1_000_000)
    out = StringIO()

    call_command("bulksms_quote", "Hi", *NUMBERS, organisation=organisation.slug, stdout=out)

    assert out.getvalue().splitlines()[0] == (
        "3 of 5 can be sent (1 duplicates left out), for KES 3.00; the wallet pays for 2."
    )
