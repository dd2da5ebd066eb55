"""All messages of an organisation, its sender IDs, and whose key this is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import send_bulk, send_sms
from bulksms.api.v1 import cursors
from bulksms.models import Message, SenderId
from bulksms.services import keys, organisations
from bulksms.testing import virtual_clock
from tests.api.helpers import Api, assert_problem, faults
from tests.factories import kenyan_numbers, make_organisation
from tests.virtual import _virtual_time

__all__ = ["_virtual_time"]

pytestmark = pytest.mark.django_db

MESSAGES = "/v1/bulk-sms/messages/"


def listed(api: Api, **parameters: Any) -> list[str]:
    answer = api.get(MESSAGES, parameters)
    assert answer.status_code == 200, answer.content
    return [row["mobile"] for row in answer.json()["results"]]


def test_a_row(host, api, organisation) -> None:
    send_bulk(
        recipients=["0712345678"],
        message="Hi",
        organisation=organisation,
        reference="r1",
        tags=["a"],
    )

    body = api.get(MESSAGES).json()

    message = Message.objects.get()
    assert body == {
        "results": [
            {
                "id": str(message.id),
                "mobile": "254712345678",
                "input": "0712345678",
                "status": "queued",
                "units": 1,
                "cost": "1.00",
                "error": None,
                "detail": None,
                "class": None,
                "sent_at": None,
                "delivered_at": None,
                "attempts": 1,
                "campaign_id": str(message.campaign_id),
                "sender_id": "TALKNTALK",
                "reference": "r1",
                "tags": ["a"],
                "created_at": "2026-01-05T09:00:00Z",
            }
        ],
        "next_cursor": None,
        "errors": [],
    }


def test_the_newest_first_a_page_at_a_time(api, organisation) -> None:
    numbers = kenyan_numbers(7)
    for number in numbers:
        send_sms(number, "Hi", organisation=organisation)
        virtual_clock.advance(seconds=1)
    found, cursor, pages = [], None, 0

    while pages == 0 or cursor:
        body = api.get(MESSAGES, {"page_size": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [row["mobile"] for row in body["results"]]
        cursor, pages = body["next_cursor"], pages + 1

    assert found == numbers[::-1]
    assert pages == 3


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [3, 2, 1, 0]),
    ({"status": "queued"}, [3, 2, 0]),
    ({"status": ["failed", "queued"]}, [3, 2, 1, 0]),
    ({"status": "delivered"}, []),
    ({"mobile": "0712 345 678"}, [0]),
    ({"mobile": "254712345678"}, [0]),
    ({"mobile": "254733"}, [3]),
    ({"mobile": "+254712"}, [0]),
    ({"mobile": "254799999999"}, []),
    ({"sender_id": "talkntalk"}, [2, 1, 0]),
    ({"sender_id": "OTHER"}, [3]),
    ({"tag": "bills"}, [2, 1]),
    ({"tag": "bill"}, []),
    ({"tag": 'a"]'}, []),
    ({"reference": "r1"}, [1]),
    ({"reference": "r1", "tag": "other"}, []),
    ({"created_from": "2026-01-05T10:00:00Z"}, [3, 2, 1]),
    ({"created_to": "2026-01-05T10:00:00Z"}, [0]),
    ({"created_from": "2026-01-05T12:00:00+03:00", "created_to": "2026-01-05T11:00:00Z"}, [1, 0]),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_filters(host, api, organisation, filters, expected) -> None:
    """One an hour, from nine o'clock on."""
    organisations.register_sender(organisation, "OTHER")
    mobiles = ["254712345678", "254202222222", "254720000000", "254733000000"]
    options: list[dict[str, Any]] = [
        {}, {"reference": "r1", "tags": ["bills"]}, {"tags": ["x", "bills"]},
        {"sender_id": "OTHER"},
    ]  # fmt: skip
    for mobile, more in zip(mobiles, options, strict=True):
        send_bulk(recipients=[mobile], message="Hi", organisation=organisation, **more)
        virtual_clock.advance(hours=1)
    order = dict(enumerate(mobiles))

    shown = [mobile.replace("0202222222", "254202222222") for mobile in listed(api, **filters)]

    assert shown == [order[index] for index in expected]


def test_thirty_days_unless_asked_otherwise(api, organisation) -> None:
    send_sms("254712345678", "Hi", organisation=organisation)
    virtual_clock.advance(days=30)
    at_the_end = listed(api)
    virtual_clock.advance(milliseconds=1)

    assert at_the_end == ["254712345678"]
    assert listed(api) == []
    assert listed(api, created_from="2026-01-01T00:00:00Z") == ["254712345678"]


WRONG: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"status": "lost"}, ("status", "invalid_value")),
    ({"mobile": "25471"}, ("mobile", "prefix_too_short")),
    ({"mobile": "hello"}, ("mobile", "invalid_recipient")),
    ({"mobile": ""}, ("mobile", "invalid_recipient")),
    ({"cursor": "x"}, ("cursor", "invalid_cursor")),
    ({"page_size": "501"}, ("page_size", "invalid_value")),
    ({"page_size": "x"}, ("page_size", "invalid_value")),
    ({"created_from": "yesterday"}, ("created_from", "invalid_datetime")),
    ({"created_to": "2026-01-05T10:00:00"}, ("created_to", "time_zone_required")),
    ({"tag": "a\x00"}, ("tag", "invalid_value")),
    ({"sender": "x"}, ("sender", "unknown_field")),
]


@pytest.mark.parametrize(("parameters", "fault"), WRONG)
def test_wrong_parameters(host, api, parameters, fault) -> None:
    answer = api.get(MESSAGES, parameters)

    assert faults(assert_problem(answer, 400, fault[1])) == [fault]


def test_a_cursor_of_another_list_is_refused(api, organisation) -> None:
    message = send_sms("254712345678", "Hi", organisation=organisation)
    other = make_organisation()

    for list_id in (message.campaign_id, cursors.of_organisation(other.pk)):
        answer = api.get(MESSAGES, {"cursor": cursors.write(list_id, message.pk)})
        assert_problem(answer, 400, "invalid_cursor")


def test_a_page_is_one_statement_however_many_campaigns_it_is_of(api, organisation) -> None:
    for number in kenyan_numbers(5):
        send_sms(number, "Hi", organisation=organisation)

    with CaptureQueriesContext(connection) as captured:
        assert len(listed(api)) == 5

    assert sum('FROM "bulksms_message"' in query["sql"] for query in captured) == 1


def test_sender_ids(host, api, organisation) -> None:
    SenderId.objects.create(
        organisation=organisation, name="LATER", kind="promotional", network="safaricom",
        status="pending",
    )  # fmt: skip

    body = api.get("/v1/bulk-sms/sender-ids/").json()

    assert body == {
        "results": [
            {"sender_id": "LATER", "kind": "promotional", "network": "safaricom",
             "status": "pending", "is_default": False, "created_at": "2026-01-05T09:00:00Z"},
            {"sender_id": "TALKNTALK", "kind": "transactional", "network": None,
             "status": "approved", "is_default": True, "created_at": "2026-01-05T09:00:00Z"},
        ],
        "errors": [],
    }  # fmt: skip


def test_whose_key_this_is(host, organisation) -> None:
    ends = virtual_clock.now() + dt.timedelta(days=1)
    row, text = keys.create(organisation, name="till 3", scopes=("send",), expires_at=ends)

    answer = Api(text).get("/v1/")

    assert answer.status_code == 200
    assert answer.json() == {
        "organisation": organisation.slug,
        "name": organisation.name,
        "mode": "live",
        "currency": "KES",
        "key": {
            "prefix": row.prefix,
            "name": "till 3",
            "scopes": ["send"],
            "expires_at": "2026-01-06T09:00:00Z",
        },
        "errors": [],
    }


def test_they_take_no_parameters(host, api) -> None:
    for path in ("/v1/", "/v1/bulk-sms/sender-ids/"):
        assert_problem(api.get(path, {"x": "1"}), 400, "unknown_field")
