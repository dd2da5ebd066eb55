"""The JSON schemas of v1's bodies and answers, for its OpenAPI document."""

from __future__ import annotations

from bulksms import states
from bulksms.api.openapi import (
    COUNT,
    CURRENCY,
    FLAG,
    ID,
    MONEY,
    TEXT,
    TIME,
    Json,
    array,
    form,
    or_null,
    record,
    ref,
)
from bulksms.models import SenderId
from bulksms.services.keys import SCOPES

STATUS: Json = {"type": "string", "enum": list(states.MESSAGE_STATES)}
MOBILE: Json = {"type": "string", "examples": ["254712345678"]}
MOBILE_QUERY: Json = {
    "type": "string",
    "pattern": "^254[71][0-9]{8}$",
    "examples": ["254712345678"],
}
CURSOR: Json = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}
PAGE_SIZE: Json = {"type": "integer", "minimum": 1, "maximum": 500}
MOMENT: Json = {**TIME, "examples": ["2026-01-31T08:00:00+03:00"]}
#: Any JSON value: a recipient that is no number is refused alone.
ANYTHING: Json = {"examples": ["254712345678", "0712345678"]}
#: Not blank, and nothing that no SMS can carry.
MESSAGE: Json = {
    "type": "string", "minLength": 1, "maxLength": 1530, "examples": ["Your code is SAVE20!"],
}  # fmt: skip
LABEL: Json = {"type": "string", "maxLength": 255}
NO_ERRORS: Json = array(ref("FieldError"), maxItems=0)

OPTIONS: dict[str, Json] = {
    "sender_id": or_null({"type": "string", "examples": ["TALKNTALK"]}),
    "scheduled_at": or_null(MOMENT),
    "expires_at": or_null(MOMENT),
    "priority": {"enum": ["normal", "high", None]},
    "reference": or_null(LABEL),
    "tags": or_null(array({"type": "string", "minLength": 1, "maxLength": 50}, maxItems=20)),
    "metadata": or_null({"type": "object"}),
    "max_cost": {"anyOf": [MONEY, {"type": "number", "minimum": 0}, {"type": "null"}]},
    "sensitive": or_null(FLAG)
    | {"description": "Blank the text once it was sent. It cannot be retried after that."},
}

ROW: dict[str, Json] = {
    "id": ID,
    "mobile": MOBILE,
    "input": TEXT,
    "status": STATUS,
    "units": COUNT,
    "cost": MONEY,
    "error": or_null(TEXT),
    "detail": or_null(TEXT),
    "class": {"enum": ["temporary", "permanent", "ours", None]},
    "sent_at": or_null(TIME),
    "delivered_at": or_null(TIME),
    "attempts": {"type": "integer", "minimum": 1},
}

REFUSED: dict[str, Json] = {"mobile": TEXT, "input": TEXT, "error": TEXT, "detail": TEXT}

CAMPAIGN: dict[str, Json] = {
    "campaign_id": ID,
    "status": {"type": "string", "enum": list(states.CAMPAIGN_STATES)},
    "message": or_null(TEXT),
    "sender_id": or_null(TEXT),
    "recipients_count": COUNT,
    "queued_count": COUNT,
    "awaiting_report_count": COUNT,
    "delivered_count": COUNT,
    "undelivered_count": COUNT,
    "unconfirmed_count": COUNT,
    "failed_count": COUNT,
    "skipped_count": COUNT,
    "cancelled_count": COUNT,
    "unknown_count": COUNT,
    "sent_count": COUNT,
    "sent_rate": {"type": ["number", "null"]},
    "delivery_rate": {"type": ["number", "null"]},
    "total_cost": MONEY,
    "currency": CURRENCY,
    "priority": {"enum": ["normal", "high"]},
    "reference": or_null(TEXT),
    "tags": array(TEXT),
    "metadata": {"type": "object"},
    "scheduled_at": or_null(TIME),
    "created_at": TIME,
    "started_at": or_null(TIME),
    "finished_at": or_null(TIME),
    "errors": NO_ERRORS,
}

SCHEMAS: dict[str, Json] = {
    "FieldError": record({"field": TEXT, "code": TEXT, "detail": TEXT}),
    "Problem": record({
        "type": {"const": "about:blank"}, "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": TEXT, "code": TEXT, "errors": array(ref("FieldError")),
    }),
    # Bodies
    "SendBulk": {
        "anyOf": [
            form(
                {"recipients": array(ANYTHING, minItems=1, maxItems=10_000), "message": MESSAGE,
                 "on_insufficient_funds": {"enum": ["partial", "reject", None]}, **OPTIONS},
                required=["recipients", "message"],
            ),
            form(
                {"messages": array(ref("OwnText"), minItems=1, maxItems=10_000),
                 "message": or_null(MESSAGE),
                 "on_insufficient_funds": {"enum": ["partial", "reject", None]}, **OPTIONS},
                required=["messages"],
            ),
        ]
    },
    "OwnText": form(
        {"to": {"not": {"type": "null"}, **ANYTHING}, "message": {}, "variables":
         {"type": ["object", "null"]}},
        required=["to"],
    ),
    "Send": form({"mobile": MOBILE, "message": MESSAGE, **OPTIONS}, required=["mobile", "message"]),
    "CampaignId": form({"campaign_id": TEXT}, required=["campaign_id"]),
    "MessagesQuery": form(
        {"campaign_id": TEXT, "status": {"anyOf": [STATUS, array(STATUS, minItems=1),
                                                   {"type": "null"}]},
         "mobile": or_null(MOBILE_QUERY), "cursor": or_null(CURSOR),
         "page_size": or_null(PAGE_SIZE)},
        required=["campaign_id"],
    ),
    "Reschedule": form({"scheduled_at": MOMENT}, required=["scheduled_at"]),
    "Nothing": form({}),
    "Retry": form({
        "message_ids": or_null(array(ID, minItems=1, maxItems=10_000)),
        "statuses": or_null(array({"type": "string", "enum": sorted(states.RETRYABLE)})),
        "errors": or_null(array({"type": "string", "minLength": 1, "maxLength": 60},
                                maxItems=100)),
        "accept_duplicates": or_null(FLAG), "dry_run": or_null(FLAG),
    }),
    # Answers
    "BulkAnswer": record({
        "campaign_id": ID, "queued": COUNT, "failed": COUNT, "total": COUNT, "duplicates": COUNT,
        "sender_id": TEXT, "total_cost": MONEY, "currency": CURRENCY,
        "results": array(record(
            {"id": ID, "mobile": MOBILE, "status": {"const": "queued"}, "input": TEXT},
            optional=["input"],
        )),
        "errors": array(record(REFUSED, optional=["input"])),
    }),
    "SingleAnswer": record({
        "id": ID, "campaign_id": ID, "mobile": MOBILE, "input": TEXT, "sender_id": TEXT,
        "message": TEXT, "status": {"const": "queued"}, "units": COUNT, "cost": MONEY,
        "currency": CURRENCY, "created_at": TIME, "errors": NO_ERRORS,
    }, optional=["input"]),
    "Quote": record({
        "total": COUNT, "sendable": COUNT, "affordable": COUNT, "duplicates": COUNT,
        "total_units": COUNT, "total_cost": MONEY, "available": or_null(MONEY),
        "currency": CURRENCY,
        "forcing_ucs2": array(record({"character": TEXT, "code_point": TEXT,
                                      "recipients": COUNT})),
        "replacing_saves": MONEY,
        "results": array(record({
            "mobile": TEXT, "input": TEXT, "encoding": or_null(TEXT), "units": COUNT,
            "price_per_unit": MONEY, "cost": MONEY, "error": or_null(TEXT),
            "detail": or_null(TEXT),
        }, optional=["input"])),
        "errors": NO_ERRORS,
    }),
    "Campaign": record(CAMPAIGN),
    "CampaignChanged": record(
        {**CAMPAIGN, "changed": COUNT, "remaining": COUNT, "already_gone": COUNT}
    ),
    "Retried": record({
        "campaign_id": ID, "dry_run": FLAG, "queued": COUNT, "failed": COUNT, "total": COUNT,
        "remaining": COUNT, "total_cost": MONEY, "currency": CURRENCY,
        "results": array(record({"id": ID, "mobile": MOBILE, "status": {"const": "queued"},
                                 "units": COUNT, "cost": MONEY})),
        "errors": array(record({"id": ID, **REFUSED}, optional=["input"])),
    }),
    "MessagesPage": record({
        "campaign_id": ID, "results": array(record(ROW, optional=["input"])),
        "next_cursor": or_null(CURSOR), "errors": NO_ERRORS,
    }),
    "ListPage": record({
        "results": array(record(
            {**ROW, "campaign_id": ID, "sender_id": or_null(TEXT), "reference": or_null(TEXT),
             "tags": array(TEXT), "created_at": TIME},
            optional=["input"],
        )),
        "next_cursor": or_null(CURSOR), "errors": NO_ERRORS,
    }),
    "Senders": record({
        "results": array(record({
            "sender_id": TEXT,
            "kind": {"type": "string", "enum": sorted(SenderId.KIND._db_values)},
            "network": or_null(TEXT),
            "status": {"type": "string", "enum": sorted(SenderId.STATUS._db_values)},
            "is_default": FLAG, "created_at": TIME,
        })),
        "errors": NO_ERRORS,
    }),
    "Balance": record({
        "organisation": TEXT, "balance": MONEY, "held": MONEY, "currency": CURRENCY,
        "retrieved_at": TIME, "errors": NO_ERRORS,
    }),
    "WhoAmI": record({
        "organisation": TEXT, "name": TEXT, "mode": {"enum": ["live", "test"]},
        "currency": CURRENCY,
        "key": record({
            "prefix": TEXT, "name": TEXT,
            "scopes": array({"type": "string", "enum": list(SCOPES)}),
            "expires_at": or_null(TIME),
        }),
        "errors": NO_ERRORS,
    }),
}  # fmt: skip
