"""The shape of v1's requests to send. Every fault is named, nothing that was asked is ignored.

A misspelt field is refused as ``unknown_field``: a typo in ``scheduled_at`` must not send now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bulksms import clock
from bulksms.api import fields
from bulksms.api.fields import Faults, Values, unknown_fields
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation
from bulksms.models.outbox import NORMAL, PRIORITIES
from bulksms.services import validation
from bulksms.services.retrying import Wanted
from bulksms.services.validation import PARTIAL, REJECT, BulkRequest

OPTIONS = frozenset({
    "sender_id", "scheduled_at", "expires_at", "priority", "reference", "tags", "metadata",
    "max_cost", "sensitive",
})  # fmt: skip
SEND_BULK = OPTIONS | {"recipients", "message", "messages", "on_insufficient_funds"}
SEND = OPTIONS | {"mobile", "message"}
RETRY = frozenset({"message_ids", "statuses", "errors", "accept_duplicates", "dry_run"})


def send_bulk(data: Values, organisation: Organisation) -> BulkRequest:
    """Raises InvalidRequest with all faults, also those that only the service sees."""
    faults = unknown_fields(data, SEND_BULK)
    messages = fields.messages(data, "messages", faults)
    recipients = fields.array(data, "recipients", faults, "an array of phone numbers")
    if recipients is None and data.get("messages") is None:
        recipients = []
    funds = fields.choice(data, "on_insufficient_funds", (PARTIAL, REJECT), faults)
    request = BulkRequest(
        recipients=recipients,
        messages=messages,
        message=data.get("message"),
        on_insufficient_funds=funds or PARTIAL,
        **_options(data, faults),
    )
    return _checked(organisation, request, faults)


def send(data: Values, organisation: Organisation) -> BulkRequest:
    """One SMS: all or nothing. Raises InvalidRequest as :func:`send_bulk`."""
    faults = unknown_fields(data, SEND)
    mobile = data.get("mobile")
    if mobile is None:
        faults.append(FieldError("mobile", "required", "Give the recipient's number in mobile."))
    request = BulkRequest(
        recipients=[mobile],
        message=data.get("message"),
        on_insufficient_funds=REJECT,
        **_options(data, faults),
    )
    return _checked(organisation, request, faults)


def _options(data: Values, faults: Faults) -> dict[str, Any]:
    """What both have, by the names of BulkRequest."""
    return {
        "sender_id": data.get("sender_id"),
        "scheduled_at": fields.moment(data, "scheduled_at", faults),
        "expires_at": fields.moment(data, "expires_at", faults),
        "priority": fields.choice(data, "priority", PRIORITIES, faults) or NORMAL,
        "reference": fields.text(data, "reference", faults) or "",
        "tags": tuple(fields.array(data, "tags", faults, "an array of strings") or ()),
        "metadata": fields.mapping(data, "metadata", faults) or {},
        "max_cost": fields.amount(data, "max_cost", faults),
        "sensitive": fields.flag(data, "sensitive", faults),
    }


def _checked(organisation: Organisation, request: BulkRequest, faults: Faults) -> BulkRequest:
    """``request``, or all its faults: the service finds its own when there are none of shape."""
    if not faults:
        return request
    raise InvalidRequest(faults + _seen_by_the_service(organisation, request, faults))


def _seen_by_the_service(
    organisation: Organisation, request: BulkRequest, named: Iterable[FieldError]
) -> Faults:
    """The service's own findings about fields that are not named as faulty yet."""
    known = {fault.field.partition("[")[0] for fault in named}
    if "messages" in known or "recipients" in known:
        request = replace(request, recipients=["stands for those that are wrong"], messages=None)
    try:
        validation.check(organisation, request, clock.now())
    except InvalidRequest as found:
        return [fault for fault in found.errors if fault.field not in known]
    return []


def retry(data: Values) -> tuple[Wanted, bool]:
    """Which messages, and whether it is only to be priced. Raises InvalidRequest."""
    faults = unknown_fields(data, RETRY)
    wanted = Wanted(
        message_ids=fields.ids(data, "message_ids", faults),
        statuses=fields.words(data, "statuses", faults),
        errors=fields.words(data, "errors", faults),
        accept_duplicates=fields.flag(data, "accept_duplicates", faults),
    )
    dry_run = fields.flag(data, "dry_run", faults)
    if faults:
        raise InvalidRequest(faults)
    return wanted, dry_run


def scheduled_at(data: Values) -> Any:
    """When a scheduled campaign is to go instead. Raises InvalidRequest."""
    faults = unknown_fields(data, ("scheduled_at",))
    found = fields.moment(data, "scheduled_at", faults)
    if found is None and not faults:
        detail = "Give the new time in scheduled_at, such as 2026-01-31T08:00:00+03:00."
        faults.append(FieldError("scheduled_at", "required", detail))
    if faults:
        raise InvalidRequest(faults)
    return found


def nothing(data: Mapping[str, object]) -> None:
    """Raises InvalidRequest if there is any field."""
    if faults := unknown_fields(data, ()):
        raise InvalidRequest(faults)
