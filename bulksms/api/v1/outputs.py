"""What v1 answers. Amounts are text with all their decimals, times ISO 8601 in UTC.

``errors`` is an array in every answer: a client that iterates it need not look at the status first.
"""

from __future__ import annotations

from typing import Any

from bulksms import money, states
from bulksms.api.rendering import moment
from bulksms.api.v1.rows import mobile
from bulksms.models import Campaign
from bulksms.services.control import Changed
from bulksms.services.outbox import Draft
from bulksms.services.quoting import Quote, QuotedRow
from bulksms.services.retrying import Retried
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
        **mobile(draft.number, draft.input),
        "error": draft.error,
        "detail": draft.detail,
    }


def single(result: BulkResult, text: str) -> Json:
    """One SMS that was queued; ``text`` is the caller's, so that a replay has it too."""
    campaign, draft = result.campaign, result.drafts[0]
    return {
        "id": draft.id,
        "campaign_id": campaign.id,
        **mobile(draft.number, draft.input),
        "sender_id": campaign.sender,
        "message": text,
        "status": draft.status,
        "units": draft.units,
        "cost": money.amount(result.total_cost_micros),
        "currency": campaign.currency,
        "created_at": moment(campaign.created_at),
        "errors": [],
    }


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
    return {**mobile(draft.number, draft.input), **priced}


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
        "priority": found.priority,
        "reference": found.reference or None,
        "tags": found.tags,
        "metadata": found.metadata,
        "scheduled_at": moment(found.scheduled_at),
        "created_at": moment(found.created_at),
        "started_at": moment(found.started_at),
        "finished_at": moment(found.finished_at),
        "errors": [],
    }


def changed(what: Changed, cost_micros: int) -> Json:
    """A campaign as it is now, and how many of its messages the request reached.

    ``changed``: still waiting, and now stopped, going on, put off or cancelled. ``remaining``: a
    cancellation ends so many more soon. ``already_gone``: with the carrier or on their way to it.
    """
    return {
        **campaign(what.campaign, cost_micros),
        "changed": what.changed,
        "remaining": what.remaining,
        "already_gone": what.gone,
    }


def retried(what: Retried) -> Json:
    """A retry, or what one would be. ``errors``: messages that stay as they were, and why.

    ``remaining``: that many more would have matched; ask again.
    """
    return {
        "campaign_id": what.campaign.id,
        "dry_run": what.dry_run,
        "queued": what.queued,
        "failed": len(what.rows) - what.queued,
        "total": len(what.rows),
        "remaining": what.remaining,
        "total_cost": money.amount(what.cost_micros),
        "currency": what.campaign.currency,
        "results": [_again(draft) for draft in what.rows if not draft.error],
        "errors": [{"id": d.id, **_refused(d)} for d in what.rows if d.error],
    }


def _again(draft: Draft) -> Json:
    return {
        "id": draft.id,
        "mobile": draft.number,
        "status": states.QUEUED,
        "units": draft.units,
        "cost": money.amount(draft.cost_micros),
    }


def _percent(part: int, whole: int, sent: int) -> float | None:
    """With one decimal; None before anything was sent."""
    return round(100 * part / whole, 1) if sent else None
