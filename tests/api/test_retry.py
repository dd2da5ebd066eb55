"""Retry over HTTP: what is sent again, what it costs, and what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse

from bulksms.models import Campaign, Message
from bulksms.services import audit, wallet
from tests.api.helpers import Api, assert_problem, faults, world
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def organisation(db):
    """Money for one of three."""
    return make_organisation(balance_micros=1_000_000)


@pytest.fixture
def campaign(api) -> Campaign:
    """One queued, two without money, one that is no number."""
    api.send(*kenyan_numbers(3), "12")
    return Campaign.objects.get()


def retry(api: Api, campaign: Campaign, body: Any = None, **headers: str) -> HttpResponse:
    path = f"/v1/sms/campaigns/{campaign.id}/retry/"
    return api.raw(path, b"", "", **headers) if body is None else api.post(path, body, **headers)


def test_what_was_not_paid_for_goes_out_after_a_top_up(host, api, organisation, campaign) -> None:
    wallet.top_up(organisation, 5_000_000, key="then")

    answer = retry(api, campaign)

    rows = list(Message.objects.order_by("id"))
    assert answer.status_code == 200
    assert answer.json() == {
        "campaign_id": str(campaign.id),
        "dry_run": False,
        "queued": 2,
        "failed": 1,
        "total": 3,
        "remaining": 0,
        "total_cost": "2.00",
        "currency": "KES",
        "results": [
            {
                "id": str(row.id),
                "mobile": row.number,
                "status": "queued",
                "units": 1,
                "cost": "1.00",
            }
            for row in rows[1:3]
        ],
        "errors": [
            {
                "id": str(rows[3].id),
                "mobile": "12",
                "error": "invalid_recipient",
                "detail": "Too short for a mobile number of KE.",
            }
        ],
    }
    assert wallet.of(organisation).available_micros == 3_000_000
    assert list(audit.faults()) == []


def test_a_dry_run_says_what_it_would_cost_and_changes_nothing(api, organisation, campaign) -> None:
    wallet.top_up(organisation, 5_000_000, key="then")
    before = world(organisation)

    body = retry(api, campaign, {"dry_run": True}).json()

    assert (body["dry_run"], body["queued"], body["total_cost"]) == (True, 2, "2.00")
    assert world(organisation) == before
    assert Message.objects.filter(status="queued").count() == 1


def test_without_money_they_stay_as_they_are(api, organisation, campaign) -> None:
    before = world(organisation)

    body = retry(api, campaign).json()

    assert (body["queued"], body["total_cost"]) == (0, "0.00")
    assert body["errors"][0]["error"] == "insufficient_balance"
    assert world(organisation) == before


def test_one_message_by_its_id(api, organisation, campaign) -> None:
    wallet.top_up(organisation, 5_000_000, key="then")
    third = Message.objects.order_by("id")[2]

    body = retry(api, campaign, {"message_ids": [str(third.id)]}).json()

    assert [row["id"] for row in body["results"]] == [str(third.id)]


def test_the_same_key_retries_once(api, organisation, campaign) -> None:
    wallet.top_up(organisation, 1_000_000, key="then")
    key = {"idempotency-key": "k1"}

    first = retry(api, campaign, {}, **key)
    wallet.top_up(organisation, 1_000_000, key="and then")
    again = retry(api, campaign, {}, **key)

    assert first.json()["queued"] == 1
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert wallet.of(organisation).available_micros == 1_000_000


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"message_ids": "x"}, ("message_ids", "invalid_type")),
        ({"message_ids": ["x"]}, ("message_ids", "invalid_value")),
        ({"message_ids": [None]}, ("message_ids", "invalid_value")),
        ({"message_ids": [[]]}, ("message_ids", "invalid_value")),
        ({"message_ids": []}, ("message_ids", "invalid_selection")),
        ({"statuses": ["delivered"]}, ("statuses", "not_retryable")),
        ({"statuses": ["\x00"]}, ("statuses", "invalid_value")),
        ({"statuses": [1]}, ("statuses", "invalid_value")),
        ({"statuses": "skipped"}, ("statuses", "invalid_type")),
        ({"errors": ["\x00"]}, ("errors", "invalid_value")),
        ({"errors": ["invalid_recipient"]}, ("errors", "not_retryable")),
        ({"errors": ["x"] * 101}, ("errors", "invalid_value")),
        ({"dry_run": "yes"}, ("dry_run", "invalid_type")),
        ({"accept_duplicates": 1}, ("accept_duplicates", "invalid_type")),
        ({"dryrun": True}, ("dryrun", "unknown_field")),
    ],
)
def test_faults(host, api, organisation, campaign, body, fault) -> None:
    before = world(organisation)

    answer = retry(api, campaign, body)

    assert faults(assert_problem(answer, 400, fault[1])) == [fault]
    assert world(organisation) == before


def test_it_needs_the_scope_to_send(organisation, campaign) -> None:
    api = Api(make_key(organisation, scopes=("read", "manage")))

    assert_problem(retry(api, campaign), 403, "insufficient_scope")
