"""What this dialect's OpenAPI document says: each address, what it takes, what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulksms.api.errors import TITLES
from bulksms.api.openapi import Json, content, document, ref
from bulksms.api.outbox import shapes, urls

#: The page's own request, but for its comments.
EXAMPLE: Json = {
    "userId": "user123",
    "recipients": ["+254712345678", "+254798765432", "+254701234567"],
    "message": "Dear Customer, your bill is due on 20th Dec. Pay to avoid disconnection.",
    "senderId": "TUKUPAY",
    "messageName": "Bill Reminder",
    "messageId": "bulkMsg123",
    "scheduleTimestamp": "2024-12-20T12:00:00Z",
    "priority": "normal",
    "tags": ["bill-reminder", "bulk"],
    "customData": {"purpose": "Bill Reminder Campaign", "linkedTransactionId": "txn456"},
}
ONE: Json = {
    "recipientPhoneNumber": "+254712345678",
    "message": "Dear John, your bill is due on 20th Dec.",
    "senderId": "TUKUPAY",
    "messageName": "Bill Reminder",
}

_EVERYWHERE = (400, 401, 403, 429)
_BODY = (411, 413, 415)
_SENDING = (402, 409, 422, 503)
_RETRIED_LATER = (409, 429, 503)

_LIMITS: Json = {
    "RateLimit": {
        "description": "What is left: r requests now, one more in t seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limit: q requests in w seconds.",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER: Json = {"Retry-After": {"description": "In seconds.", "schema": {"type": "string"}}}


def _header(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "header", "required": False, "schema": schema,
            "description": description}  # fmt: skip


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema,
            "description": description}  # fmt: skip


ENTRY = {"name": "outbox_id", "in": "path", "required": True, "schema": {"type": "string"},
         "description": "An outboxId or a nestedOutboxId."}  # fmt: skip
KEY = _header(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "The same key is the same request, once, for 24 hours.",
)
PREFER = _header(
    "Prefer", {"type": "string", "examples": ["wait=5"]},
    "wait=N: answer when all is done, or after N seconds (at most 10).",
)  # fmt: skip
PAGE = [_query("pageSize", shapes.PAGE_SIZE, "At most 100.")]
LABEL: Json = {"type": "string", "minLength": 1, "maxLength": 255}
FILTERS = [
    _query("status", shapes.STATUS, "Of the entry."),
    _query("tag", LABEL, "Of the request or of one of its messages."),
    _query("messageName", LABEL, "Of the request or of one of its messages."),
    _query("userId", LABEL, "Of the request or of one of its messages."),
    _query("cursor", shapes.ENTRY_CURSOR, "A nextCursor."),
]


def _errors() -> dict[str, Json]:
    """The error answers, by the name that operations refer to."""
    return {
        f"Error{status}": {
            "description": TITLES[status],
            "headers": _LIMITS | (_RETRY_AFTER if status in _RETRIED_LATER else {}),
            "content": content(ref("Error")),
        }
        for status in sorted({*_EVERYWHERE, *_BODY, *_SENDING, 404})
    }


def _operation(
    name: str,
    summary: str,
    answers: Mapping[int, str],
    *,
    body: str = "",
    example: Json | None = None,
    body_required: bool = True,
    parameters: Sequence[Json] = (),
    errors: Sequence[int] = (),
    entry_id: str = "",
) -> Json:
    """``answers``: status -> schema; ``errors``: further statuses with an Error.

    ``entry_id``: where an answer has the id of an entry that other operations take.
    """
    responses: dict[str, Json] = {}
    for status, schema in answers.items():
        responses[str(status)] = {
            "description": "Done.", "headers": _LIMITS, "content": content(ref(schema)),
        }  # fmt: skip
        if entry_id:
            responses[str(status)]["links"] = _links(f"$response.body#/{entry_id}")
    for status in sorted({*_EVERYWHERE, *errors, *(_BODY if body else ())}):
        responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    found: Json = {
        "operationId": name, "summary": summary, "tags": ["outbox"], "responses": responses,
        "security": [{"key": []}],
    }  # fmt: skip
    if parameters:
        found["parameters"] = list(parameters)
    if body:
        found["requestBody"] = {"required": body_required, "content": content(ref(body), example)}
    return found


def _links(entry_id: str) -> Json:
    """What the id of an answer's entry is good for."""
    found: Json = {
        name: {"operationId": name, "parameters": {"outbox_id": entry_id}}
        for name in ("getEntry", "retry")
    }
    cancel = {"operationId": "cancelSchedule", "requestBody": {"scheduleId": entry_id}}
    return found | {"cancelSchedule": cancel}


OPERATIONS: dict[tuple[str, str], Json] = {
    ("send-bulk", "POST"): _operation(
        "sendBulk", "Send one text to up to 10,000 recipients, or (an array) a text each",
        {201: "BulkAnswer"}, body="SendBulk", example=EXAMPLE, parameters=[KEY, PREFER],
        errors=_SENDING, entry_id="bulkOutboxEntry/outboxId",
    ),
    ("send", "POST"): _operation(
        "send", "Send one SMS", {201: "OneEntry"}, body="Send", example=ONE,
        parameters=[KEY, PREFER], errors=_SENDING, entry_id="outboxEntry/outboxId",
    ),
    ("schedule", "POST"): _operation(
        "schedule", "Send later, at a time as the clocks of a zone show it", {201: "Scheduled"},
        body="Schedule",
        example={**ONE, "scheduleTime": "2026-01-31T08:00:00", "timeZone": "Africa/Nairobi"},
        parameters=[KEY], errors=_SENDING, entry_id="scheduleId",
    ),
    ("cancel-schedule", "POST"): _operation(
        "cancelSchedule", "Do not send what waits for its time", {200: "Cancelled"},
        body="ScheduleId", parameters=[KEY], errors=(404, 409, 422),
    ),
    ("outbox", "GET"): _operation(
        "listOutbox", "Entries, the newest first", {200: "EntriesPage"},
        parameters=[*FILTERS, *PAGE],
    ),
    ("entry", "GET"): _operation(
        "getEntry", "An entry with its nested ones, or a single SMS", {200: "OneEntry"},
        parameters=[ENTRY], errors=(404,),
    ),
    ("retry", "POST"): _operation(
        "retry", "Send again what did not arrive, at today's price", {200: "Retried"},
        body="Retry", body_required=False, parameters=[ENTRY, KEY],
        errors=(402, 404, 409, 422, 503),
    ),
    ("current-costs", "GET"): _operation("currentCosts", "What a unit costs", {200: "Costs"}),
    ("cost-history", "GET"): _operation(
        "costHistory", "What a unit has cost and will", {200: "CostHistory"},
        parameters=[_query("cursor", shapes.RATE_CURSOR, "A nextCursor."), *PAGE],
    ),
    ("balance", "GET"): _operation("balance", "What the wallet has", {200: "Balance"}),
    ("openapi", "GET"): {
        "operationId": "openapi", "summary": "This document", "tags": ["outbox"], "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.",
                              "content": content({"type": "object"})}},
    },
}  # fmt: skip


def build() -> dict[str, Any]:
    """The whole document."""
    return document(
        urls.urlpatterns,
        OPERATIONS,
        {
            "info": {
                "title": "Bulk SMS, outbox",
                "version": "1",
                "description": "Errors and limits: docs/reference/errors.md.",
            },
            "components": {
                "schemas": shapes.SCHEMAS,
                "responses": _errors(),
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        },
    )
