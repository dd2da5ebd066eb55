"""Campaign status, its messages, the balance: what they say, and to whom."""

from __future__ import annotations

import uuid

import pytest

from bulksms import states
from bulksms.api.v1 import cursors, outputs
from bulksms.models import Campaign
from tests.api.helpers import Api, assert_problem, faults
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db

COUNTS = [
    "queued_count", "awaiting_report_count", "delivered_count", "undelivered_count",
    "unconfirmed_count", "failed_count", "skipped_count", "cancelled_count", "unknown_count",
]  # fmt: skip


def accept(api: Api, *recipients: str) -> str:
    return str(api.send(*recipients).json()["campaign_id"])


def both_ways(api: Api, campaign_id: str) -> list[dict]:
    by_path = api.get(f"/v1/sms/campaigns/{campaign_id}/")
    by_body = api.post("/v1/sms/campaigns/status/", {"campaign_id": campaign_id})
    assert (by_path.status_code, by_body.status_code) == (200, 200)
    return [by_path.json(), by_body.json()]


def test_a_fresh_campaign(host) -> None:
    api = Api(make_key(make_organisation(balance_micros=2_000_000)))
    campaign_id = accept(api, *kenyan_numbers(4), "12")

    by_path, by_body = both_ways(api, campaign_id)

    created_at = by_path.pop("created_at")
    by_body.pop("created_at")
    assert created_at.endswith("Z")
    assert by_path == by_body
    assert by_path == {
        "campaign_id": campaign_id,
        "status": "queued",
        "message": "Hi",
        "sender_id": "TALKNTALK",
        "recipients_count": 5,
        "queued_count": 2,
        "awaiting_report_count": 0,
        "delivered_count": 0,
        "undelivered_count": 0,
        "unconfirmed_count": 0,
        "failed_count": 1,
        "skipped_count": 2,
        "cancelled_count": 0,
        "unknown_count": 0,
        "sent_count": 0,
        "sent_rate": None,
        "delivery_rate": None,
        "total_cost": "2.00",
        "currency": "KES",
        "priority": "normal",
        "reference": None,
        "tags": [],
        "metadata": {},
        "scheduled_at": None,
        "started_at": None,
        "finished_at": None,
        "errors": [],
    }


def test_the_counts_shown_add_up_whatever_the_states() -> None:
    campaign = Campaign(recipients_count=0, sent_count=0)
    for number, column in enumerate(states.COUNTERS.values(), start=1):
        setattr(campaign, column, number)
        campaign.recipients_count += number

    shown = outputs.campaign(campaign, 0)

    assert sum(shown[name] for name in COUNTS) == campaign.recipients_count
    assert {name for name in shown if name.endswith("_count")} == {
        *COUNTS, "recipients_count", "sent_count",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("recipients", "sent", "delivered", "rates"),
    [
        (3, 0, 0, (None, None)),
        (3, 2, 1, (66.7, 50.0)),
        (3, 3, 3, (100.0, 100.0)),
        (1, 1, 0, (100.0, 0.0)),
    ],
)
def test_rates(recipients, sent, delivered, rates) -> None:
    campaign = Campaign(recipients_count=recipients, sent_count=sent, delivered_count=delivered)

    shown = outputs.campaign(campaign, 0)

    assert (shown["sent_rate"], shown["delivery_rate"]) == rates


def test_messages_are_shown_in_input_order(host) -> None:
    api = Api(make_key(make_organisation(balance_micros=1_000_000)))
    campaign_id = accept(api, "0712 345 678", "12", "254723456789")

    answer = api.get(f"/v1/sms/campaigns/{campaign_id}/messages/")

    body = answer.json()
    ids = [row.pop("id") for row in body["results"]]
    plain = {"units": 1, "sent_at": None, "delivered_at": None, "attempts": 1}
    assert ids == sorted(ids)
    assert body == {
        "campaign_id": campaign_id,
        "results": [
            plain | {
                "mobile": "254712345678", "input": "0712 345 678", "status": "queued",
                "cost": "1.00", "error": None, "detail": None, "class": None,
            },
            plain | {
                "mobile": "12", "status": "failed", "cost": "0.00",
                "error": "invalid_recipient", "detail": "Too short for a mobile number of KE.",
                "class": "ours",
            },
            plain | {
                "mobile": "254723456789", "status": "failed", "cost": "1.00",
                "error": "insufficient_balance",
                "detail": "Insufficient balance. Required KES 1.00, available KES 0.00.",
                "class": "ours",
            },
        ],
        "next_cursor": None,
        "errors": [],
    }  # fmt: skip


@pytest.mark.parametrize("way", ["path", "body"])
def test_pages_follow_each_other_without_gap_or_repeat(api, way) -> None:
    numbers = kenyan_numbers(7)
    campaign_id = accept(api, *numbers)
    seen: list[str] = []
    sizes: list[int] = []
    wanted = {"page_size": 3}

    while True:
        if way == "path":
            answer = api.get(f"/v1/sms/campaigns/{campaign_id}/messages/", wanted)
        else:
            answer = api.post("/v1/sms/campaigns/messages/", {"campaign_id": campaign_id, **wanted})
        page = answer.json()
        seen += [row["mobile"] for row in page["results"]]
        sizes.append(len(page["results"]))
        if page["next_cursor"] is None:
            break
        wanted["cursor"] = page["next_cursor"]

    assert seen == numbers
    assert sizes == [3, 3, 1]


def test_a_full_last_page_has_no_next_one(api) -> None:
    campaign_id = accept(api, *kenyan_numbers(3))

    page = api.get(f"/v1/sms/campaigns/{campaign_id}/messages/", {"page_size": 3}).json()

    assert (len(page["results"]), page["next_cursor"]) == (3, None)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "failed"}, ["12"]),
        ({"status": ["failed", "queued"]}, ["254712345678", "12", "254723456789"]),
        ({"status": "delivered"}, []),
        ({"mobile": "0712 345678"}, ["254712345678"]),
        ({"mobile": "254712345678", "status": "failed"}, []),
    ],
)
def test_filters(api, filters, expected) -> None:
    campaign_id = accept(api, "254712345678", "12", "254723456789")

    by_path = api.get(f"/v1/sms/campaigns/{campaign_id}/messages/", filters).json()
    by_body = api.post(
        "/v1/sms/campaigns/messages/", {"campaign_id": campaign_id, **filters}
    ).json()

    assert [row["mobile"] for row in by_path["results"]] == expected
    assert by_path == by_body


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"status": "lost"}, [("status", "invalid_value")]),
        ({"status": ""}, [("status", "invalid_value")]),
        ({"status": ["queued", "lost"]}, [("status", "invalid_value")]),
        ({"mobile": "12"}, [("mobile", "invalid_recipient")]),
        ({"mobile": "\x00"}, [("mobile", "invalid_recipient")]),
        ({"page_size": "0"}, [("page_size", "invalid_value")]),
        ({"page_size": "501"}, [("page_size", "invalid_value")]),
        ({"page_size": "-1"}, [("page_size", "invalid_value")]),
        ({"page_size": "1.5"}, [("page_size", "invalid_value")]),
        ({"page_size": "٣"}, [("page_size", "invalid_value")]),
        ({"page_size": "9" * 5_000}, [("page_size", "invalid_value")]),
        ({"cursor": "x"}, [("cursor", "invalid_cursor")]),
        ({"cursor": ""}, [("cursor", "invalid_cursor")]),
        ({"cursor": "\x00" * 43}, [("cursor", "invalid_cursor")]),
        ({"cursor": "_" * 43}, [("cursor", "invalid_cursor")]),
        ({"size": "5"}, [("size", "unknown_field")]),
        ({"campaign_id": "x"}, [("campaign_id", "unknown_field")]),
        (
            {"limit": "5", "cursor": "x", "page_size": "x", "status": "x", "mobile": "x"},
            [
                ("limit", "unknown_field"), ("cursor", "invalid_cursor"),
                ("page_size", "invalid_value"), ("status", "invalid_value"),
                ("mobile", "invalid_recipient"),
            ],
        ),
    ],
)  # fmt: skip
def test_bad_parameters(host, api, parameters, expected) -> None:
    campaign_id = accept(api, "254712345678")

    answer = api.get(f"/v1/sms/campaigns/{campaign_id}/messages/", parameters)

    assert faults(assert_problem(answer, 400, expected[0][1])) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("campaign_id", "required")]),
        ({"campaign_id": None}, [("campaign_id", "required")]),
        ({"campaign_id": 5}, [("campaign_id", "invalid_type")]),
        ({"id": "x"}, [("id", "unknown_field"), ("campaign_id", "required")]),
    ],
)
@pytest.mark.parametrize("path", ["status", "messages"])
def test_bad_bodies(host, api, path, body, expected) -> None:
    answer = api.post(f"/v1/sms/campaigns/{path}/", body)

    assert faults(assert_problem(answer, 400, expected[0][1])) == expected


@pytest.mark.parametrize(
    "page",
    [{"page_size": True}, {"page_size": "5"}, {"page_size": 2.0}, {"page_size": 10**4000},
     {"status": [[]]}, {"status": []}, {"status": {}}, {"cursor": 5}, {"mobile": 254712345678}],
)  # fmt: skip
def test_wrong_types_in_a_body(api, page) -> None:
    campaign_id = accept(api, "254712345678")

    text = "{" + ", ".join(f'"{k}": {_json(v)}' for k, v in page.items())
    answer = api.raw(
        "/v1/sms/campaigns/messages/", f'{text}, "campaign_id": "{campaign_id}"}}'.encode()
    )

    code = {"page_size": "invalid_value", "status": "invalid_value", "cursor": "invalid_cursor",
            "mobile": "invalid_recipient"}  # fmt: skip
    (field,) = page
    assert faults(assert_problem(answer, 400, code[field])) == [(field, code[field])]


def _json(value: object) -> str:
    if isinstance(value, int) and value > 2**64:
        return "1" + "0" * 4000
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


@pytest.mark.parametrize("text", ["x", "0", "\x00", "../..", str(uuid.UUID(int=0)), "a" * 5_000])
def test_what_is_no_campaign_is_not_found(host, api, text) -> None:
    by_body = api.post("/v1/sms/campaigns/status/", {"campaign_id": text})
    messages = api.post("/v1/sms/campaigns/messages/", {"campaign_id": text})

    assert_problem(by_body, 404, "not_found")
    assert_problem(messages, 404, "not_found")
    if "/" not in text:
        path = text.replace("\x00", "%00")
        assert_problem(api.get(f"/v1/sms/campaigns/{path}/"), 404, "not_found")
        assert_problem(api.get(f"/v1/sms/campaigns/{path}/messages/"), 404, "not_found")


def test_the_balance(host) -> None:
    organisation = make_organisation(balance_micros=2_500_000)
    api = Api(make_key(organisation))
    api.send("254712345678")

    answer = api.get("/v1/balance/")

    body = answer.json()
    assert body.pop("retrieved_at").endswith("Z")
    assert body == {
        "organisation": organisation.slug,
        "balance": "1.50",
        "held": "1.00",
        "currency": "KES",
        "errors": [],
    }


def test_head_is_get_without_its_body(api) -> None:
    answer = api.client.head("/v1/balance/", headers=api.headers)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/balance/", "/v1/sms/campaigns/{}/"])
def test_parameters_that_mean_nothing_are_refused(api, path) -> None:
    campaign_id = accept(api, "254712345678")

    answer = api.get(path.format(campaign_id), {"currency": "USD"})

    assert faults(assert_problem(answer, 400, "unknown_field")) == [("currency", "unknown_field")]


class TestTenants:
    """Nobody sees anything of another organisation's, not even that it is there."""

    @pytest.fixture
    def theirs(self) -> tuple[Api, str]:
        other = Api(make_key(make_organisation(balance_micros=77_000_000)))
        return other, accept(other, *kenyan_numbers(3))

    def test_a_campaign_of_theirs_is_not_found(self, host, api, theirs) -> None:
        _, campaign_id = theirs
        answers = [
            api.get(f"/v1/sms/campaigns/{campaign_id}/"),
            api.get(f"/v1/sms/campaigns/{campaign_id}/messages/"),
            api.post("/v1/sms/campaigns/status/", {"campaign_id": campaign_id}),
            api.post("/v1/sms/campaigns/messages/", {"campaign_id": campaign_id}),
        ]

        for answer in answers:
            body = assert_problem(answer, 404, "not_found")
            assert body["detail"] == f"There is no campaign {campaign_id}."

    def test_a_cursor_of_theirs_is_no_cursor(self, host, api, theirs) -> None:
        other, campaign_id = theirs
        page = other.get(f"/v1/sms/campaigns/{campaign_id}/messages/", {"page_size": 1}).json()
        ours = accept(api, "254712345678")

        answer = api.get(f"/v1/sms/campaigns/{ours}/messages/", {"cursor": page["next_cursor"]})

        assert_problem(answer, 400, "invalid_cursor")

    def test_a_forged_cursor_shows_nothing_of_theirs(self, api, theirs) -> None:
        """Our campaign's id with their message's: only a place to start at."""
        other, campaign_id = theirs
        row = other.get(f"/v1/sms/campaigns/{campaign_id}/messages/").json()["results"][0]
        ours = accept(api, "254712345678")
        forged = cursors.write(uuid.UUID(ours), uuid.UUID(row["id"]))

        page = api.get(f"/v1/sms/campaigns/{ours}/messages/", {"cursor": forged}).json()

        assert [found["mobile"] for found in page["results"]] == ["254712345678"]

    def test_their_money_is_theirs(self, api, theirs) -> None:
        assert api.get("/v1/balance/").json()["balance"] == "10.00"
        assert api.send("254712345678").json()["queued"] == 1
        assert theirs[0].get("/v1/balance/").json()["balance"] == "74.00"
