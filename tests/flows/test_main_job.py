"""The main job over real HTTP: a bulk request, and what became of every recipient."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import clock, states
from bulksms.models import Campaign, Message, Organisation
from bulksms.services import audit, organisations, wallet
from bulksms.testing import drain
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.flows.reference import Recipient, expected
from tests.harness import FakeCarrier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TEXT = "Hi! Your invoice is ready. Log in to view it."


def post(
    http: requests.Session, live_server: Any, key: str, recipients: list[str]
) -> requests.Response:
    return http.post(
        f"{live_server.url}/v1/sms/send-bulk/",
        json={"recipients": recipients, "message": TEXT},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )


def really_sent(house: FakeCarrier, campaign_id: str) -> list[str]:
    """Of a campaign's rows, the numbers that the carrier accepted, once each."""
    rows = Message.objects.filter(campaign_id=campaign_id).order_by("id")
    counts = {row.number: house.accepted(row.id) for row in rows}
    assert set(counts.values()) <= {0, 1}
    return [number for number, count in counts.items() if count]


def test_the_seeds_own_example(
    http: requests.Session, live_server: Any, carrier: FakeCarrier
) -> None:
    organisation = make_organisation(balance_micros=2_000_000, price_micros=1_000_000)
    numbers = ["254712345678", "254723456789", "254734567890"]

    response = post(http, live_server, make_key(organisation), numbers)
    carrier.run()

    answer = response.json()
    assert response.status_code == 207
    assert (answer["queued"], answer["failed"], answer["total"]) == (2, 1, 3)
    assert answer["sender_id"] == "TALKNTALK"
    assert [(r["mobile"], r["status"]) for r in answer["results"]] == [
        ("254712345678", "queued"),
        ("254723456789", "queued"),
    ]
    assert answer["errors"] == [
        {
            "mobile": "254734567890",
            "error": "insufficient_balance",
            "detail": "Insufficient balance. Required KES 1.00, available KES 0.00.",
        }
    ]
    assert really_sent(carrier, answer["campaign_id"]) == numbers[:2]


def test_five_recipients_and_money_for_three(
    http: requests.Session, live_server: Any, carrier: FakeCarrier
) -> None:
    organisation = make_organisation(balance_micros=3_000_000, price_micros=1_000_000)
    numbers = kenyan_numbers(5)

    answer = post(http, live_server, make_key(organisation), numbers).json()
    carrier.run()

    assert [(error["mobile"], error["error"]) for error in answer["errors"]] == [
        (numbers[3], "insufficient_balance"),
        (numbers[4], "skipped"),
    ]
    assert answer["errors"][1]["detail"] == "Processing stopped due to insufficient balance."
    assert really_sent(carrier, answer["campaign_id"]) == numbers[:3]


def _case(draw: random.Random) -> tuple[list[Recipient], int]:
    """Recipients of several prices, some invalid, some twice; a balance that may or may not do."""
    prices = {f"2547{n}": draw.randrange(0, 2_000_000, 5_000) for n in (0, 1, 2)}
    pool = []
    for _ in range(draw.randrange(1, 13)):
        prefix = draw.choice(list(prices))
        number = f"{prefix}{draw.randrange(1_000_000, 9_999_999)}"
        pool.append(Recipient(number, prices[prefix]))
    pool += [Recipient(f"bad number {n}", None) for n in range(draw.randrange(0, 3))]
    recipients = [draw.choice(pool) for _ in range(draw.randrange(1, 16))]
    total = sum(r.price or 0 for r in dict.fromkeys(recipients))
    balance = draw.choice([0, total, max(total - 1, 0), draw.randrange(0, total + 2), total + 1])
    return recipients, balance


def _tenant(recipients: list[Recipient], balance: int) -> Organisation:
    organisation = make_organisation(balance_micros=balance, price_micros=None)
    at = clock.now() - dt.timedelta(days=1)
    for prefix, price in {(r.number[:5], r.price) for r in recipients if r.price is not None}:
        organisations.set_rate(
            price, currency="KES", prefix=prefix, organisation=organisation, at=at
        )
    return organisation


def test_200_generated_cases_equal_the_reference_and_the_oracle(
    http: requests.Session, live_server: Any, carrier: FakeCarrier
) -> None:
    draw = random.Random(20)
    seen: set[str] = set()
    for number in range(200):
        recipients, balance = _case(draw)
        organisation = _tenant(recipients, balance)
        queued, errors = expected(recipients, balance)

        response = post(http, live_server, make_key(organisation), [r.number for r in recipients])
        drain()

        answer, why = response.json(), f"case {number}: {recipients} with {balance}"
        assert response.status_code == (207 if errors else 201), why
        assert [result["mobile"] for result in answer["results"]] == queued, why
        assert [error["error"] for error in answer["errors"]] == errors, why
        assert answer["total"] == len(queued) + len(errors), why
        assert answer["duplicates"] == len(recipients) - answer["total"], why
        assert really_sent(carrier, answer["campaign_id"]) == queued, why
        spent = sum(r.price or 0 for r in dict.fromkeys(recipients) if r.number in queued)
        assert wallet.of(organisation).available_micros == balance - spent, why
        seen |= set(errors)
    assert seen == {"insufficient_balance", "skipped", "invalid_recipient"}
    assert carrier.duplicates[0] == 0
    assert list(audit.faults()) == []


def test_ten_thousand_recipients_are_accepted_delivered_and_settled(
    http: requests.Session, live_server: Any, carrier: FakeCarrier
) -> None:
    organisation = make_organisation(balance_micros=9_999 * 1_000_000)

    response = post(http, live_server, make_key(organisation), kenyan_numbers(10_000))
    with CaptureQueriesContext(connection) as queries:
        carrier.run()

    answer = response.json()
    assert (response.status_code, answer["queued"]) == (207, 9_999)
    assert answer["errors"][0]["error"] == "insufficient_balance"
    campaign = Campaign.objects.get(id=answer["campaign_id"])
    assert (campaign.status, campaign.delivered_count) == (states.COMPLETED, 9_999)
    assert wallet.of(organisation).available_micros == 0
    assert carrier.total_accepted == 9_999
    assert carrier.duplicates == (0, 0)
    assert list(audit.faults()) == []
    # 20 requests of 500, 20 callbacks of 500, 20 apply steps of 500: about 60 chunks in all.
    assert len(queries) < 60 * 30, "statements grow with the rows, not with the chunks"
