"""``POST /api/sms/send``: one SMS."""

from __future__ import annotations

import pytest

from bulksms.models import Campaign, Message
from tests.api.helpers import Api, world
from tests.api.outbox.helpers import SEND, assert_error, entry, faults, single
from tests.factories import make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

NOW = "2026-01-05T09:00:00Z"
ONE = {"recipient": "0712345678", "message": "Hi"}


def test_every_field(host, api) -> None:
    body = {
        "userId": "user123",
        "recipientPhoneNumber": "+254712345678",
        "message": "Hi",
        "senderId": "tukupay",
        "messageName": "Greeting",
        "messageId": "msg1",
        "scheduleTimestamp": "2024-12-20T12:00:00Z",
        "priority": "normal",
        "tags": ["a"],
        "customData": {"k": [1, None]},
    }

    answer = api.post(SEND, body)

    id_ = str(Message.objects.get().id)
    assert answer.status_code == 201
    assert answer.json() == {
        "status": "success",
        "outboxEntry": {
            "outboxId": id_,
            "nestedOutboxId": id_,
            "bulkOutboxId": None,
            "userId": "user123",
            "senderId": "TUKUPAY",
            "messageId": "msg1",
            "messageName": "Greeting",
            "message": "Hi",
            "recipientPhoneNumber": "+254712345678",
            "smsUnitsUsed": 1,
            "costPerUnit": 0.6,
            "totalCost": 0.6,
            "currency": "KES",
            "status": "pending",
            "deliveryStatus": "queued",
            "scheduledAt": None,
            "timestamps": {"createdAt": NOW, "sentAt": None, "lastAttemptAt": None},
            "retryCount": 0,
            "errorCode": None,
            "errorDetails": None,
            "tags": ["a"],
            "customData": {"k": [1, None]},
        },
        "message": "SMS accepted.",
    }


def test_sent(api, carrier: FakeCarrier) -> None:
    sent = single(api).json()["outboxEntry"]
    carrier.run()

    found = api.get(f"/api/sms/outbox/{sent['outboxId']}").json()

    assert (found["status"], found["message"]) == ("success", "SMS sent.")
    assert found["outboxEntry"]["status"] == "sent"
    assert found["outboxEntry"]["timestamps"]["sentAt"] == NOW


@pytest.mark.parametrize("name", ["recipient", "recipientPhoneNumber"])
def test_the_recipient_has_two_names(api, name) -> None:
    answer = api.post(SEND, {name: "0712345678", "message": "Hi"})

    assert answer.json()["outboxEntry"]["recipientPhoneNumber"] == "+254712345678"


def test_placeholders(api) -> None:
    answer = single(api, message="Dear {name}", variables={"name": "Wanjiru"})
    missing = single(api, message="Dear {name}")

    assert answer.json()["outboxEntry"]["message"] == "Dear Wanjiru"
    assert (missing.status_code, missing.json()["code"]) == (400, "missing_variable")


def test_402_without_money() -> None:
    api = Api(make_key(make_organisation(0)))

    answer = single(api)

    body = answer.json()
    found = body.pop("outboxEntry")
    detail = "Insufficient balance. Required KES 1.00, available KES 0.00."
    assert answer.status_code == 402
    assert body == {
        "status": "error",
        "message": "SMS failed.",
        "code": "insufficient_balance",
        "errors": [
            {"field": "recipientPhoneNumber", "code": "insufficient_balance", "message": detail}
        ],
    }
    assert (found["status"], found["errorDetails"]) == ("failed", detail)
    assert entry(api, found["outboxId"]) == found


def test_400_for_a_number_that_is_none(api) -> None:
    answer = single(api, "12")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_recipient")
    assert answer.json()["outboxEntry"]["recipientPhoneNumber"] == "12"


def test_a_message_id_makes_it_repeatable(api) -> None:
    first, again = (single(api, messageId="m1") for _ in range(2))
    other = single(api, messageId="m1", message="Other")

    assert (again.status_code, again.content) == (201, first.content)
    assert_error(other, 409, "message_id_reused")
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("recipientPhoneNumber", "required"), ("message", "message_required")]),
        ({"message": "Hi"}, [("recipientPhoneNumber", "required")]),
        (ONE | {"message": None}, [("message", "message_required")]),
        (ONE | {"message": 5}, [("message", "invalid_type")]),
        (ONE | {"message": "\x00"}, [("message", "message_invalid_characters")]),
        (ONE | {"recipientPhoneNumber": "2"}, [("recipient", "two_recipients")]),
        (
            {"recipients": ["0712345678"], "message": "Hi"},
            [("recipients", "unknown_field"), ("recipientPhoneNumber", "required")],
        ),
        (ONE | {"variables": 1}, [("variables", "invalid_type")]),
        (
            ONE | {"senderId": "OTHER", "messageName": "x" * 256},
            [("messageName", "name_too_long"), ("senderId", "sender_not_allowed")],
        ),
    ],
)
def test_faults(api, organisation, body, expected) -> None:
    before = world(organisation)

    answer = api.post(SEND, body)

    assert faults(assert_error(answer, 400, expected[0][1])) == expected
    assert world(organisation) == before


def test_sentences_name_the_fields_of_this_dialect() -> None:
    api = Api(make_key(make_organisation(sender="")))

    body = assert_error(single(api, messageName="x" * 256), 400, "name_too_long")

    assert [fault["message"] for fault in body["errors"]] == [
        "messageName has at most 255 characters.",
        "No senderId was given and the organisation has no default one. Give a senderId.",
    ]
    assert body["message"] == body["errors"][0]["message"]
