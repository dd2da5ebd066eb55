"""The JSON schemas of this dialect's bodies and answers, for its OpenAPI document."""

from __future__ import annotations

from bulksms import states
from bulksms.api.openapi import (
    COUNT,
    CURRENCY,
    FLAG,
    ID,
    TEXT,
    TIME,
    Json,
    array,
    form,
    or_null,
    record,
    ref,
)
from bulksms.services import entries

#: Printed exactly, with all of its decimals.
MONEY: Json = {"type": "number", "examples": [0.6]}
PHONE: Json = {"type": "string", "minLength": 1, "examples": ["+254712345678", "0712345678"]}
#: Any JSON value: a recipient that is no number is refused alone.
ANYTHING: Json = {"examples": ["+254712345678", "0712345678"]}
MESSAGE: Json = {
    "type": "string", "minLength": 1, "maxLength": 1530, "pattern": r"\S",
    "examples": ["Dear John, your bill is due on 20th Dec."],
}  # fmt: skip
LABEL: Json = {"type": "string", "maxLength": 255}
MOMENT: Json = {**TIME, "examples": ["2026-01-31T08:00:00+03:00"]}
STATUS: Json = {"type": "string", "enum": list(entries.STATUSES)}
ENTRY_CURSOR: Json = {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"}
RATE_CURSOR: Json = {"type": "string", "pattern": "^r[0-9]{1,18}$"}
PAGE_SIZE: Json = {"type": "integer", "minimum": 1, "maximum": 100}
SUCCESS: Json = {"const": "success"}

# Bodies

LABELS: dict[str, Json] = {
    "userId": or_null(LABEL),
    "messageName": or_null(LABEL),
    "messageId": or_null(LABEL),
    "tags": or_null(array({"type": "string", "minLength": 1, "maxLength": 50}, maxItems=20)),
    "customData": or_null({"type": "object"}),
}
COMMON: dict[str, Json] = {
    **LABELS,
    "senderId": or_null({"type": "string", "examples": ["TUKUPAY"]}),
    "priority": {"enum": ["normal", "high", None]},
}
WHEN: dict[str, Json] = {"scheduleTimestamp": or_null(MOMENT)}
#: With an offset of its own, or as the clocks of a zone show it.
INSTANT: dict[str, Json] = {"scheduleTime": MOMENT, "timeZone": {"type": "null"}}
LOCAL: dict[str, Json] = {
    "scheduleTime": {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?$",
        "examples": ["2026-01-31T08:00:00"],
    },
    "timeZone": {"type": "string", "examples": ["Africa/Nairobi"]},
}  # fmt: skip
BULK: dict[str, Json] = {
    "recipients": array(ANYTHING, minItems=1, maxItems=10_000), "message": MESSAGE, **COMMON,
}  # fmt: skip
SINGLE: dict[str, Json] = {
    "recipient": PHONE, "recipientPhoneNumber": PHONE, "message": MESSAGE,
    "variables": {"type": ["object", "null"]}, **COMMON,
}  # fmt: skip


def either_name(properties: dict[str, Json], *required: str) -> Json:
    """The recipient under one of its two names."""
    names = ("recipient", "recipientPhoneNumber")
    return {
        "anyOf": [
            form({k: v for k, v in properties.items() if k == name or k not in names},
                 required=[name, *required])
            for name in names
        ]
    }  # fmt: skip


# Answers

NESTED: dict[str, Json] = {
    "nestedOutboxId": ID,
    "recipientPhoneNumber": TEXT,
    "smsUnitsUsed": COUNT,
    "costPerUnit": MONEY,
    "totalCost": MONEY,
    "status": {"enum": ["pending", "sent", "failed"]},
    "deliveryStatus": {"enum": list(states.MESSAGE_STATES)},
    "timestamps": record({
        "createdAt": TIME, "sentAt": or_null(TIME), "lastAttemptAt": or_null(TIME),
    }),
    "retryCount": COUNT,
    "errorCode": or_null(TEXT),
    "errorDetails": or_null(TEXT),
    "input": TEXT,
    "message": TEXT,
    "senderId": TEXT,
}  # fmt: skip
OF_REQUEST: dict[str, Json] = {
    "userId": or_null(TEXT),
    "messageId": or_null(TEXT),
    "messageName": or_null(TEXT),
    "tags": array(TEXT),
    "customData": {"type": "object"},
    "currency": CURRENCY,
    "scheduledAt": or_null(TIME),
}
ENTRY: dict[str, Json] = {
    "outboxId": ID,
    **OF_REQUEST,
    "senderId": or_null(TEXT),
    "message": or_null(TEXT),
    "recipients": or_null(array(TEXT)),
    "recipientsCount": COUNT,
    "duplicates": COUNT,
    "totalSmsUnitsUsed": COUNT,
    "totalCost": MONEY,
    "status": STATUS,
    "timestamps": record({
        "createdAt": TIME, "completedAt": or_null(TIME), "lastAttemptAt": or_null(TIME),
    }),
    "retryCount": COUNT,
}  # fmt: skip
ONE_ENTRY: dict[str, Json] = {
    "status": SUCCESS, "message": TEXT, "bulkOutboxEntry": ref("BulkEntry"),
    "outboxEntry": ref("SingleEntry"),
}  # fmt: skip
EITHER = ("bulkOutboxEntry", "outboxEntry")
PRICE: dict[str, Json] = {
    "prefix": TEXT, "costPerUnit": MONEY, "isOwn": FLAG, "effectiveFrom": TIME,
}  # fmt: skip

SCHEMAS: dict[str, Json] = {
    "FieldError": record({"field": TEXT, "code": TEXT, "message": TEXT}),
    # What failed as a whole is kept, so its error may have its entry.
    "Error": record({
        "status": {"const": "error"}, "message": TEXT, "code": TEXT,
        "errors": array(ref("FieldError")), "bulkOutboxEntry": ref("BulkEntry"),
        "outboxEntry": ref("SingleEntry"), "outboxIds": array(ID), "bulkOutboxId": ID,
        "scheduledAt": or_null(TIME), "scheduleId": ID,
    }, optional=[*EITHER, "outboxIds", "bulkOutboxId", "scheduledAt", "scheduleId"]),
    # Bodies
    "SendBulk": {
        "anyOf": [
            form({**BULK, **WHEN}, required=["recipients", "message"]),
            array(ref("Send"), minItems=1, maxItems=10_000),
        ]
    },
    "Send": either_name({**SINGLE, **WHEN}, "message"),
    "Schedule": {
        "anyOf": [
            form({**BULK, **LOCAL},
                 required=["recipients", "message", "scheduleTime", "timeZone"]),
            form({**BULK, **INSTANT}, required=["recipients", "message", "scheduleTime"]),
            *either_name({**SINGLE, **LOCAL}, "message", "scheduleTime", "timeZone")["anyOf"],
            *either_name({**SINGLE, **INSTANT}, "message", "scheduleTime")["anyOf"],
        ]
    },
    "ScheduleId": form({"scheduleId": TEXT}, required=["scheduleId"]),
    "Retry": form({
        "nestedOutboxIds": or_null(array(ID, minItems=1, maxItems=10_000)),
        "acceptDuplicates": or_null(FLAG),
    }),
    # Answers
    "NestedEntry": record(NESTED, optional=["input", "message", "senderId"]),
    "SingleEntry": record(
        {**NESTED, "outboxId": ID, "bulkOutboxId": or_null(ID), **OF_REQUEST}, optional=["input"]
    ),
    "ListedEntry": record(ENTRY),
    "BulkEntry": record({**ENTRY, "nestedOutbox": array(ref("NestedEntry"))}),
    "OneEntry": record(ONE_ENTRY, optional=EITHER),
    "Scheduled": record({**ONE_ENTRY, "scheduleId": ID}, optional=EITHER),
    "Loop": record({
        "status": SUCCESS, "message": TEXT, "outboxIds": array(ID), "bulkOutboxId": ID,
        "scheduledAt": or_null(TIME),
    }),
    "BulkAnswer": {"anyOf": [ref("OneEntry"), ref("Loop")]},
    "Retried": record({
        **ONE_ENTRY, "retried": COUNT, "remaining": COUNT,
        "refused": array(record({"nestedOutboxId": ID, "errorCode": TEXT, "errorDetails": TEXT})),
    }, optional=EITHER),
    "Cancelled": record(
        {**ONE_ENTRY, "scheduleId": ID, "cancelled": COUNT, "remaining": COUNT}, optional=EITHER
    ),
    "EntriesPage": record({
        "status": SUCCESS,
        "outboxEntries": array({"anyOf": [ref("ListedEntry"), ref("SingleEntry")]}),
        "nextCursor": or_null(ENTRY_CURSOR),
    }),
    "Costs": record({
        "status": SUCCESS, "unitCost": or_null(MONEY), "currency": CURRENCY,
        "costs": array(record(PRICE)),
    }),
    "CostHistory": record({
        "status": SUCCESS, "currency": CURRENCY, "nextCursor": or_null(RATE_CURSOR),
        "history": array(record({**PRICE, "effectiveUntil": or_null(TIME)})),
    }),
    "Balance": record({
        "status": SUCCESS, "balance": MONEY, "held": MONEY, "currency": CURRENCY,
        "unitCost": or_null(MONEY), "smsBalance": or_null(COUNT),
    }),
}  # fmt: skip
