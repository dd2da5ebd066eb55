"""Finished answers: which status goes with which body."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from bulksms.api.errors import Problem
from bulksms.api.outbox import cursors, outputs, prices
from bulksms.api.rendering import JsonResponse
from bulksms.exceptions import Conflict, FieldError, PaymentRequired
from bulksms.models.outbox import ARRAY
from bulksms.services import costs as costs_service
from bulksms.services import entry_pages, wallet
from bulksms.services.control import Changed
from bulksms.services.entries import Bulk, Entry, Single
from bulksms.services.retrying import Retried
from bulksms.services.sending import BulkResult

#: Refusals for money: nothing but a top-up (or the next day) helps.
MONEY = (wallet.INSUFFICIENT_BALANCE, wallet.SPEND_CAP_REACHED)


def problem(found: Problem) -> HttpResponse:
    """An error: ``{"status": "error", "message", "code", "errors": [...]}``."""
    body = error(found.detail, found.code, list(found.errors))
    return JsonResponse(body, found.status, headers=found.headers)


def error(message: str, code: str, faults: list[FieldError]) -> dict[str, Any]:
    return {
        "status": "error",
        "message": message,
        "code": code,
        "errors": [
            {"field": fault.field, "code": fault.code, "message": fault.detail} for fault in faults
        ],
    }


def sent(found: Entry, result: BulkResult, *, schedule: bool = False) -> HttpResponse:
    """201 when anything was accepted; else 402 (no money) or 400, with the entry all the same."""
    if isinstance(found, Bulk) and found.campaign.kind == ARRAY:
        body = outputs.array(found)
    else:
        body = outputs.entry(found)
    if schedule:
        body["scheduleId"] = found.id
    if result.queued:
        return JsonResponse(body, 201)
    faults = _refusals(
        result, "recipientPhoneNumber" if isinstance(found, Single) else "recipients"
    )
    by_money = next((fault for fault in faults if fault.code in MONEY), None)
    first = by_money or faults[0]
    shown = error(outputs.sentence(found), first.code, faults)
    return JsonResponse(body | shown, 402 if by_money else 400)


def _refusals(result: BulkResult, name: str) -> list[FieldError]:
    """Each reason once, with its first recipient's sentence."""
    first: dict[str, str] = {}
    for draft in result.drafts:
        first.setdefault(draft.error, draft.detail)
    return [FieldError(name, code, detail) for code, detail in first.items()]


def retried(found: Entry, result: Retried) -> HttpResponse:
    """200 when anything was queued again. Raises PaymentRequired (no money) and Conflict, so that
    a request that did nothing is not kept as done.
    """
    if result.queued:
        return JsonResponse(outputs.retried(found, result))
    refused = [row for row in result.rows if row.error]
    if by_money := next((row for row in refused if row.error in MONEY), None):
        raise PaymentRequired(by_money.detail, code=by_money.error)
    if not refused:
        raise Conflict("There is nothing to retry: see deliveryStatus.", code="nothing_to_retry")
    first = outputs.retried(found, result)["refused"][0]
    raise Conflict(first["errorDetails"], code=first["errorCode"])


def cancelled(found: Entry, changed: Changed) -> HttpResponse:
    return JsonResponse(outputs.cancelled(found, changed))


def entry(found: Entry) -> HttpResponse:
    return JsonResponse(outputs.entry(found))


def costs(found: costs_service.Current) -> HttpResponse:
    return JsonResponse(prices.current(found))


def cost_history(found: costs_service.Page) -> HttpResponse:
    next_cursor = cursors.write_rate(found.next_id) if found.next_id else None
    return JsonResponse(prices.history(found, next_cursor))


def balance(found: costs_service.Balance) -> HttpResponse:
    return JsonResponse(prices.balance(found))


def page(found: entry_pages.Page) -> HttpResponse:
    next_cursor = cursors.write(found.next_id) if found.next_id else None
    return JsonResponse(outputs.page(found.entries, next_cursor))
