"""What v1 answers. Amounts are text with all their decimals, times ISO 8601 in UTC.

``errors`` is an array in every answer: a client that iterates it need not look at the status first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulksms import clock, money, states
from bulksms.api.rendering import moment
from bulksms.api.v1 import cursors
from bulksms.models import Campaign, Wallet
from bulksms.services.campaigns import Page
from bulksms.services.outbox import Draft
from bulksms.services.quoting import Quote, QuotedRow
from bulksms.services.sending import BulkResult

Json = dict[str, Any]


def bulk(result: BulkResult) -> Json:
    """A bulk request's answer; ``results`` and ``errors`` are in the order of the input."""
    campaign = result.campaign
    return {
        "campaign_id": campaign.id,
        "queued": result.queued,
        "failed": result.failed,
        "total": len(result.drafts),
        "duplicates": result.duplicates,
        "sender_id": campaign.sender,
        "total_cost": money.amount(result.total_cost_micros),
        "currency": campaign.currency,
        "results": [_queued(draft) for draft in result.drafts if draft.status == states.QUEUED],
        "errors": [_refused(draft) for draft in result.drafts if draft.status != states.QUEUED],
    }


def _queued(draft: Draft) -> Json:
    found: Json = {"id": draft.id, "mobile": draft.number, "status": draft.status}
    if draft.input:
        found["input"] = draft.input
    return found


def _refused(draft: Draft) -> Json:
    return {
        **_mobile(draft.number, draft.input),
        "error": draft.error,
        "detail": draft.detail,
    }


def _mobile(number: str, written: str) -> Json:
    """The number, and what the caller wrote where that differs; only the latter if it is none."""
    if not number:
        return {"mobile": written}
    return {"mobile": number, "input": written} if written else {"mobile": number}


def quote(found: Quote) -> Json:
    """What sending would do; ``results`` in input order, each with its price or its refusal."""
    return {
        "total": len(found.rows),
        "sendable": found.sendable,
        "affordable": found.affordable,
        "duplicates": found.duplicates,
        "total_units": sum(row.units for row in found.rows if not row.draft.error),
        "total_cost": money.amount(found.total_micros),
        "available": None
        if found.available_micros is None
        else money.amount(found.available_micros),
        "currency": found.currency,
        "forcing_ucs2": [
            {"character": one.character, "code_point": one.code_point, "recipients": one.recipients}
            for one in found.forcing
        ],
        "replacing_saves": money.amount(found.saving_micros),
        "results": [_quoted(row) for row in found.rows],
        "errors": [],
    }


def _quoted(row: QuotedRow) -> Json:
    draft = row.draft
    priced = {
        "encoding": row.encoding or None,
        "units": row.units,
        "price_per_unit": money.amount(draft.price_micros),
        "cost": money.amount(row.cost_micros),
        "error": draft.error or None,
        "detail": draft.detail or None,
    }
    return {**_mobile(draft.number, draft.input), **priced}


def campaign(found: Campaign, cost_micros: int) -> Json:
    """A campaign's state.

    The nine counts from ``queued_count`` to ``unknown_count`` exclude each other and add up to
    ``recipients_count``: ``queued_count`` has those being handed over in it, ``undelivered_count``
    those that expired or that the network rejected. ``sent_count`` is how many a carrier ever took,
    wherever they stand now.
    """
    return {
        "campaign_id": found.id,
        "status": found.status,
        "message": found.message or None,
        "sender_id": found.sender or None,
        "recipients_count": found.recipients_count,
        "queued_count": found.queued_count + found.sending_count,
        "awaiting_report_count": found.awaiting_report_count,
        "delivered_count": found.delivered_count,
        "undelivered_count": found.undelivered_count + found.expired_count + found.rejected_count,
        "unconfirmed_count": found.unconfirmed_count,
        "failed_count": found.failed_count,
        "skipped_count": found.skipped_count,
        "cancelled_count": found.cancelled_count,
        "unknown_count": found.unknown_count,
        "sent_count": found.sent_count,
        "sent_rate": _percent(found.sent_count, found.recipients_count, found.sent_count),
        "delivery_rate": _percent(found.delivered_count, found.sent_count, found.sent_count),
        "total_cost": money.amount(cost_micros),
        "currency": found.currency,
        "created_at": moment(found.created_at),
        "started_at": moment(found.started_at),
        "finished_at": moment(found.finished_at),
        "errors": [],
    }


def _percent(part: int, whole: int, sent: int) -> float | None:
    """With one decimal; None before anything was sent."""
    return round(100 * part / whole, 1) if sent else None


def messages(of: Campaign, page: Page) -> Json:
    """One page of a campaign's messages; ``next_cursor`` is null on the last one."""
    return {
        "campaign_id": of.id,
        "results": [_message(row) for row in page.rows],
        "next_cursor": cursors.write(of.id, page.next_id) if page.next_id else None,
        "errors": [],
    }


def _message(row: Mapping[str, Any]) -> Json:
    return {
        "id": row["id"],
        **_mobile(row["number"], row["input"]),
        "status": row["status"],
        "units": row["units"],
        "cost": money.amount(row["cost_micros"]),
        "error": row["error"] or None,
        "detail": row["error_detail"] or None,
        "sent_at": moment(row["sent_at"]),
        "delivered_at": moment(row["delivered_at"]),
        "attempts": row["attempt"],
    }


def balance(wallet: Wallet, held_micros: int) -> Json:
    """What can be spent, and what is held for messages on their way."""
    return {
        "organisation": wallet.organisation.slug,
        "balance": money.amount(wallet.available_micros),
        "held": money.amount(held_micros),
        "currency": wallet.currency,
        "retrieved_at": moment(clock.now()),
        "errors": [],
    }
