"""What this dialect answers. Amounts are JSON numbers printed exactly, times ISO 8601 in UTC.

Ten thousand nested entries are plain dicts that one call encodes; what they share is made once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from bulksms import money
from bulksms.api.rendering import moment
from bulksms.models import Campaign, MessageLabels
from bulksms.models.outbox import SINGLE
from bulksms.services import entries
from bulksms.services.control import Changed
from bulksms.services.entries import Bulk, Entry, Row, Single
from bulksms.services.outbox import Draft
from bulksms.services.retrying import Retried

Json = dict[str, Any]

SENTENCES = {
    entries.PENDING: "Bulk SMS accepted.",
    entries.SENT: "Bulk SMS sent.",
    entries.PARTIAL: "Bulk SMS sent partially. Check nested outbox for details.",
    entries.FAILED: "Bulk SMS failed.",
}
SINGLE_SENTENCES = {
    entries.PENDING: "SMS accepted.",
    entries.SENT: "SMS sent.",
    entries.FAILED: "SMS failed.",
}
IN_A_LOOP = "Bulk SMS sent using Single SMS in a loop."


@lru_cache(maxsize=4096)
def number(micros: int) -> msgspec.Raw:
    """An amount as a JSON number with all of its decimals: 600_000 is 0.6."""
    return msgspec.Raw(money.json_number(micros).encode())


# Answers


def retried(found: Entry, result: Retried) -> Json:
    """The entry, how many messages were queued again, and which were not, with the reason."""
    refused = [row for row in result.rows if row.error]
    return {
        **entry(found),
        "retried": result.queued,
        "refused": [_refused(row) for row in refused],
        "remaining": result.remaining,
    }


def _refused(row: Draft) -> Json:
    detail = row.detail.replace("accept_duplicates", "acceptDuplicates")
    return {"nestedOutboxId": row.id, "errorCode": row.error, "errorDetails": detail}


def cancelled(found: Entry, changed: Changed) -> Json:
    """The entry, and how many messages are not sent; ``remaining`` are cancelled soon."""
    return {
        **entry(found),
        "message": "Schedule cancelled.",
        "scheduleId": found.id,
        "cancelled": changed.changed,
        "remaining": changed.remaining,
    }


def entry(found: Entry) -> Json:
    """An entry and its sentence."""
    if isinstance(found, Single):
        body: Json = {"outboxEntry": single(found)}
    else:
        body = {"bulkOutboxEntry": bulk(found)}
    return {"status": "success", **body, "message": sentence(found)}


def array(found: Bulk) -> Json:
    """One id per item, in the order of the items, failed ones too."""
    return {
        "status": "success",
        "message": IN_A_LOOP,
        "outboxIds": [row.id for row in found.rows or ()],
        "bulkOutboxId": found.campaign.id,
        "scheduledAt": moment(found.campaign.scheduled_at),
    }


def sentence(found: Entry) -> str:
    if isinstance(found, Single):
        return SINGLE_SENTENCES[found.row.state]
    return SENTENCES[found.state]


def page(entries_: list[Entry], next_cursor: str | None) -> Json:
    """Entries, newest first; bulk ones without their numbers and nested entries."""
    return {
        "status": "success",
        "outboxEntries": [
            single(each) if isinstance(each, Single) else _listed(each) for each in entries_
        ],
        "nextCursor": next_cursor,
    }


# Entries


def bulk(found: Bulk) -> Json:
    """A request's entry with all of its messages."""
    rows = found.rows or ()
    campaign = found.campaign
    shown = _listed(found)
    if campaign.message and campaign.kind != SINGLE:
        shown["recipients"] = [_phone(row) for row in rows]
    created_at = _text(campaign.created_at)
    shown["nestedOutbox"] = [nested(row, created_at) for row in rows]
    return shown


def _listed(found: Bulk) -> Json:
    campaign = found.campaign
    return {
        "outboxId": campaign.id,
        **_labels(campaign),
        "senderId": campaign.sender or None,
        "message": campaign.message or None,
        "recipients": None,
        "recipientsCount": campaign.recipients_count,
        "duplicates": campaign.duplicates_count,
        "totalSmsUnitsUsed": found.sums.units,
        "totalCost": number(found.sums.paid_micros),
        "currency": campaign.currency,
        "status": found.state,
        "scheduledAt": moment(campaign.scheduled_at),
        "timestamps": {
            "createdAt": moment(campaign.created_at),
            "completedAt": moment(_completed_at(found)),
            "lastAttemptAt": moment(found.sums.asked_at),
        },
        "retryCount": 0 if found.is_fresh else campaign.round,
    }


def _completed_at(found: Bulk) -> dt.datetime | None:
    if not found.is_fresh:
        return found.campaign.finished_at
    return None if found.state == entries.PENDING else found.campaign.created_at


def single(found: Single) -> Json:
    """A single SMS: the nested shape, and what is the request's elsewhere."""
    campaign, row = found.campaign, found.row
    return {
        **nested(row, _text(campaign.created_at)),
        "outboxId": row.id,
        "bulkOutboxId": None if campaign.kind == SINGLE else campaign.id,
        **_labels(found.own or campaign),
        "senderId": campaign.sender if row.sender is None else row.sender,
        "message": campaign.message if row.text is None else row.text,
        "currency": campaign.currency,
        "scheduledAt": moment(campaign.scheduled_at),
    }


def nested(row: Row, created_at: str) -> Json:
    """One message of a request. ``deliveryStatus`` is its exact state."""
    found = {
        "nestedOutboxId": row.id,
        "recipientPhoneNumber": _phone(row),
        "smsUnitsUsed": row.paid_units,
        "costPerUnit": number(row.price_micros),
        "totalCost": number(row.paid_micros),
        "status": row.state,
        "deliveryStatus": row.status,
        "timestamps": {
            "createdAt": created_at,
            "sentAt": moment(row.sent_at),
            "lastAttemptAt": moment(row.asked_at),
        },
        "retryCount": max(row.asks - 1, 0),
        "errorCode": row.error or None,
        "errorDetails": row.detail or row.error or None,
    }
    if row.number and row.input not in ("", f"+{row.number}"):
        found["input"] = row.input
    if row.text is not None:
        found["message"] = row.text
    if row.sender is not None:
        found["senderId"] = row.sender
    return found


def _phone(row: Row) -> str:
    """With its plus; what was written where that is no number."""
    return f"+{row.number}" if row.number else row.input


def _text(at: dt.datetime) -> str:
    """As msgspec writes it."""
    return msgspec.json.encode(moment(at)).decode().strip('"')


# Labels


def _labels(of: Campaign | MessageLabels) -> Json:
    return {
        "userId": of.user_label or None,
        "messageId": of.reference or None,
        "messageName": of.name or None,
        "tags": of.tags,
        "customData": canonical(of.metadata),
    }


def canonical(value: Any) -> Any:
    """``value`` as it comes back from any database, so that a repeated answer is the same.

    jsonb keeps neither the order of an object's keys nor how a number was written.
    """
    if isinstance(value, Mapping):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    if isinstance(value, float) and value == int(value):
        return _whole(value)
    return value


def _whole(value: float) -> int | float:
    """jsonb writes 1e22 out, digit by digit, and reads it as an int then; 1.0 stays a float."""
    return int(Decimal(repr(value))) if "e" in repr(value) else value + 0.0
