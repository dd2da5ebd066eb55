"""The shape of requests that change what was sent: retries and cancelled schedules."""

from __future__ import annotations

from uuid import UUID

from bulksms.api import fields
from bulksms.api.fields import MAX_NAMED, Faults, Values, unknown_fields, wrong_type
from bulksms.exceptions import Conflict, FieldError, InvalidRequest, NotFound
from bulksms.models.outbox import SINGLE
from bulksms.services.entries import Entry, Single
from bulksms.services.retrying import Wanted

RETRY = ("nestedOutboxIds", "acceptDuplicates")


def retry(data: Values, found: Entry) -> Wanted:
    """Which messages of the entry. Raises InvalidRequest with all faults."""
    faults = unknown_fields(data, RETRY)
    ids = _ids(data, faults)
    accept_duplicates = fields.flag(data, "acceptDuplicates", faults)
    if isinstance(found, Single):
        if ids is not None and set(ids) != {found.row.id}:
            detail = "This entry is a single SMS: it has no nested entries but itself."
            faults.append(FieldError("nestedOutboxIds", "message_not_found", detail))
        ids = [found.row.id]
    if faults:
        raise InvalidRequest(faults)
    return Wanted(message_ids=ids, accept_duplicates=accept_duplicates)


def _ids(data: Values, faults: Faults) -> list[UUID] | None:
    given = fields.array(data, "nestedOutboxIds", faults, "an array of nestedOutboxIds")
    found: list[UUID] = []
    for index, text in enumerate(given or ()):
        try:
            found.append(UUID(text) if isinstance(text, str) else _no_id())
        except ValueError:
            faults.append(wrong_type(f"nestedOutboxIds[{index}]", "a nestedOutboxId"))
            if len(faults) >= MAX_NAMED:
                break
    return None if given is None else found


def _no_id() -> UUID:
    raise ValueError


def schedule_id(data: Values) -> str:
    """Raises InvalidRequest."""
    faults = unknown_fields(data, ("scheduleId",))
    text = fields.text(data, "scheduleId", faults)
    if data.get("scheduleId") is None:
        faults.append(FieldError("scheduleId", "required", "Give the scheduleId."))
    if faults:
        raise InvalidRequest(faults)
    return text or ""


def schedule_of(found: Entry) -> UUID:
    """The request that waits for its time. Raises NotFound for one message of a larger request,
    Conflict for what does not wait.
    """
    campaign = found.campaign
    if isinstance(found, Single) and campaign.kind != SINGLE:
        raise NotFound(f"There is no schedule {found.id}; it is one message of {campaign.id}.")
    if campaign.scheduled_at is None or campaign.started_at or campaign.finished_at:
        detail = f"This request does not wait for its time: it is {campaign.status}."
        raise Conflict(detail, code="not_scheduled")
    return campaign.id
