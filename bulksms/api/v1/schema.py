"""What v1's OpenAPI document says: each address, what it takes, what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulksms.api.errors import TITLES
from bulksms.api.openapi import Json, array, content, document, ref
from bulksms.api.v1 import shapes, urls

EXAMPLE: Json = {
    "recipients": ["254712345678", "254723456789"],
    "message": "Your promo code is SAVE20. Valid today only!",
    "sender_id": "TALKNTALK",
}

_EVERYWHERE = (400, 401, 403, 429)
_BODY = (411, 413, 415)
_SENDING = (402, 409, 422, 503)

_LIMITS = {
    "RateLimit": {
        "description": "What is left: r requests now, one more in t seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limit: q requests in w seconds.",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER = {
    "Retry-After": {"description": "In seconds.", "schema": {"type": "string"}},
}

CAMPAIGN = {"name": "campaign_id", "in": "path", "required": True, "schema": {"type": "string"},
            "description": "As it was answered by send-bulk."}  # fmt: skip
KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "The same key is the same request, once, for 24 hours.",
}  # fmt: skip


def _problems() -> dict[str, Json]:
    """The error answers, by the name that operations refer to."""
    return {
        f"Problem{status}": {
            "description": TITLES[status],
            "headers": _LIMITS | (_RETRY_AFTER if status in (409, 429, 503) else {}),
            "content": content(ref("Problem")),
        }
        for status in sorted({*_EVERYWHERE, *_BODY, *_SENDING, 404})
    }


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema,
            "description": description}  # fmt: skip


PAGE = [
    _query("status", array(shapes.STATUS), "One or several."),
    _query("mobile", shapes.MOBILE_QUERY, "In any form that sending takes."),
    _query("cursor", shapes.CURSOR, "A next_cursor."),
    _query("page_size", shapes.PAGE_SIZE, "At most 500."),
]
LIST = [
    *PAGE[:1],
    _query("mobile", shapes.MOBILE_QUERY, "A number, or its first six digits or more."),
    *PAGE[2:],
    _query("sender_id", {"type": "string"}, "Without case."),
    _query("tag", {"type": "string"}, "One of its campaign's tags."),
    _query("reference", {"type": "string"}, "Its campaign's."),
    _query("created_from", shapes.MOMENT, "30 days ago unless given."),
    _query("created_to", shapes.MOMENT, "Not part of it."),
]


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
) -> Json:
    """``answers``: status -> schema; ``errors``: further statuses with a Problem."""
    responses: dict[str, Json] = {}
    for status, schema in answers.items():
        responses[str(status)] = {
            "description": "Done.", "headers": _LIMITS, "content": content(ref(schema)),
        }  # fmt: skip
    for status in {201, 207} & set(answers):
        responses[str(status)]["links"] = _LINKS
    for status in sorted({*_EVERYWHERE, *errors, *(_BODY if body else ())}):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    found: Json = {
        "operationId": name, "summary": summary, "tags": ["v1"], "responses": responses,
        "security": [{"key": []}],
    }  # fmt: skip
    if parameters:
        found["parameters"] = list(parameters)
    if body:
        found["requestBody"] = {"required": body_required, "content": content(ref(body), example)}
    return found


_SAME = "$response.body#/campaign_id"
#: What the campaign_id of an answer is good for.
_LINKS: dict[str, Json] = {
    **{
        name: {"operationId": name, "parameters": {"campaign_id": _SAME}}
        for name in (
            "getCampaign",
            "getMessages",
            "reschedule",
            "cancel",
            "pause",
            "resume",
            "retry",
        )
    },
    **{
        name: {"operationId": name, "requestBody": {"campaign_id": _SAME}}
        for name in ("campaignStatus", "campaignMessages")
    },
}


def _deed(name: str, summary: str) -> Json:
    return _operation(
        name, summary, {200: "CampaignChanged"}, body="Nothing", body_required=False,
        parameters=[CAMPAIGN, KEY], errors=(404, 409, 422),
    )  # fmt: skip


OPERATIONS: dict[tuple[str, str], Json] = {
    ("send-bulk", "POST"): _operation(
        "sendBulk", "Send one text, or a text each, to up to 10,000 recipients",
        {201: "BulkAnswer", 207: "BulkAnswer"}, body="SendBulk", example=EXAMPLE,
        parameters=[KEY], errors=_SENDING,
    ),
    ("send", "POST"): _operation(
        "send", "Send one SMS", {201: "SingleAnswer"}, body="Send",
        example={"mobile": "254712345678", "message": EXAMPLE["message"]},
        parameters=[KEY], errors=_SENDING,
    ),
    ("quote", "POST"): _operation(
        "quote", "What send-bulk would do with the same body; nothing is stored",
        {200: "Quote"}, body="SendBulk", example=EXAMPLE,
    ),
    ("campaign-status", "POST"): _operation(
        "campaignStatus", "A campaign's progress", {200: "Campaign"}, body="CampaignId",
        errors=(404,),
    ),
    ("campaign-messages", "POST"): _operation(
        "campaignMessages", "A campaign's messages", {200: "MessagesPage"}, body="MessagesQuery",
        errors=(404,),
    ),
    ("campaign", "GET"): _operation(
        "getCampaign", "A campaign's progress", {200: "Campaign"}, parameters=[CAMPAIGN],
        errors=(404,),
    ),
    ("campaign", "PATCH"): _operation(
        "reschedule", "Another time for a campaign that waits for its time",
        {200: "CampaignChanged"}, body="Reschedule", parameters=[CAMPAIGN, KEY],
        errors=(404, 409, 422),
    ),
    ("messages", "GET"): _operation(
        "getMessages", "A campaign's messages", {200: "MessagesPage"},
        parameters=[CAMPAIGN, *PAGE], errors=(404,),
    ),
    ("cancel", "POST"): _deed("cancel", "End what still waits and give its money back"),
    ("pause", "POST"): _deed("pause", "Ask for nothing more until resumed"),
    ("resume", "POST"): _deed("resume", "Go on where a pause stopped"),
    ("retry", "POST"): _operation(
        "retry", "Send again what did not arrive, at today's price", {200: "Retried"},
        body="Retry", body_required=False, parameters=[CAMPAIGN, KEY],
        errors=(404, 409, 422, 503),
    ),
    ("all-messages", "GET"): _operation(
        "listMessages", "All messages, the newest first", {200: "ListPage"}, parameters=LIST
    ),
    ("sender-ids", "GET"): _operation("listSenders", "The sender IDs", {200: "Senders"}),
    ("balance", "GET"): _operation("balance", "What the wallet has", {200: "Balance"}),
    ("whoami", "GET"): _operation("whoAmI", "Whose key this is", {200: "WhoAmI"}),
    ("openapi", "GET"): {
        "operationId": "openapi", "summary": "This document", "tags": ["v1"], "security": [],
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
                "title": "Bulk SMS, v1",
                "version": "1",
                "description": "Errors and limits: docs/reference/errors.md.",
            },
            "components": {
                "schemas": shapes.SCHEMAS,
                "responses": _problems(),
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        },
    )
