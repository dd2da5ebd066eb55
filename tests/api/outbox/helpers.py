"""What the tests of the outbox dialect share."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse

from tests.api.helpers import Api

SEND_BULK, SEND, SCHEDULE = "/api/sms/send-bulk", "/api/sms/send", "/api/sms/schedule"
OUTBOX = "/api/sms/outbox"
ERROR = {"status", "message", "code", "errors"}

TEXT = "Dear Customer, your bill is due on 20th Dec. Pay to avoid disconnection."
#: The page's own request: one text for all.
PAGE_BODY: dict[str, Any] = {
    "userId": "user123",
    "recipients": ["+254712345678", "+254798765432", "+254701234567"],
    "message": TEXT,
    "senderId": "TUKUPAY",
    "messageName": "Bill Reminder",
    "messageId": "bulkMsg123",
    "scheduleTimestamp": "2024-12-20T12:00:00Z",
    "priority": "normal",
    "tags": ["bill-reminder", "bulk"],
    "customData": {"purpose": "Bill Reminder Campaign", "linkedTransactionId": "txn456"},
}
#: The page's own request: a text for each.
PAGE_LOOP: list[dict[str, Any]] = [
    {
        "recipient": "+254712345678",
        "message": "Dear John, your bill is due on 20th Dec.",
        "senderId": "TUKUPAY",
        "messageName": "Bill Reminder",
    },
    {
        "recipient": "+254798765432",
        "message": "Dear Jane, your bill is overdue. Pay immediately.",
        "senderId": "TUKUPAY",
        "messageName": "Bill Reminder",
    },
]


def bulk(api: Api, *recipients: Any, **more: Any) -> HttpResponse:
    return api.post(SEND_BULK, {"recipients": list(recipients), "message": "Hi", **more})


def single(api: Api, recipient: Any = "+254712345678", **more: Any) -> HttpResponse:
    return api.post(SEND, {"recipientPhoneNumber": recipient, "message": "Hi", **more})


def item(recipient: Any = "+254712345678", message: Any = "Hi", **more: Any) -> dict[str, Any]:
    return {"recipient": recipient, "message": message, **more}


def entry(api: Api, outbox_id: object) -> dict[str, Any]:
    """The entry with this id, a request's or a single's."""
    answer = api.get(f"{OUTBOX}/{outbox_id}")
    assert answer.status_code == 200, answer.content
    body = answer.json()
    return dict(body.get("bulkOutboxEntry") or body["outboxEntry"])


def assert_error(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """``answer`` is an error of this dialect, complete; returns its body."""
    body: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, body.get("code")) == (status, code), body
    assert set(body) == ERROR
    assert body["status"] == "error"
    assert body["message"].strip()
    assert answer["Content-Type"] == "application/json"
    for fault in body["errors"]:
        assert set(fault) == {"field", "code", "message"}
        assert all(isinstance(value, str) and value for value in fault.values())
    return body


def faults(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault["field"], fault["code"]) for fault in body["errors"]]
