"""Requests that the caller's own ids make repeatable: the same id with the same request, once.

Unlike an idempotency key, which is forgotten after a day, a reference has no end.
"""

from __future__ import annotations

from django.db import transaction

from bulksms.exceptions import InvalidRequest
from bulksms.models import Organisation
from bulksms.models.outbox import BULK
from bulksms.services import idempotency, labels, sending
from bulksms.services.idempotency import Once
from bulksms.services.sending import BulkResult
from bulksms.services.validation import BulkRequest


def send_or_repeat(
    organisation: Organisation,
    request: BulkRequest,
    *,
    kind: str = BULK,
    once: Once | None = None,
) -> BulkResult:
    """:func:`sending.send`; a repeat with the same references gets the first one's result.

    ``once`` is kept only if anything was queued: what failed as a whole may be asked for again.
    Raises ReferenceReused when the references belong to another request (``request_sha256``).
    """
    if first := _first(organisation, request):
        return first
    try:
        with transaction.atomic():
            result = sending.send(organisation, request, kind=kind, once=once)
            if once and not result.queued:
                idempotency.forget(organisation, once)
        return result
    except InvalidRequest:
        # Two equal requests at the same moment: the other one was faster.
        if first := _first(organisation, request):
            return first
        raise


def _first(organisation: Organisation, request: BulkRequest) -> BulkResult | None:
    known = labels.first_of(organisation, request.references, request.request_sha256)
    return None if known is None else sending.replay(known)
