"""The shape of this dialect's requests to send. Every fault found is named, nothing is ignored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bulksms import clock
from bulksms.api import fields
from bulksms.api.fields import Faults, Values, unknown_fields, wrong_type
from bulksms.api.outbox import names, times
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation
from bulksms.models.outbox import NORMAL, PRIORITIES
from bulksms.services import validation
from bulksms.services.validation import BulkRequest

#: One field under both of the names that the page has for it.
NUMBER = ("recipient", "recipientPhoneNumber")

LABELS = frozenset({"userId", "messageName", "messageId", "tags", "customData"})
COMMON = LABELS | {"message", "senderId", "priority"}
SEND_BULK = COMMON | {"recipients", "scheduleTimestamp"}
SEND = COMMON | {*NUMBER, "variables", "scheduleTimestamp"}
WHEN = frozenset({"scheduleTime", "timeZone"})


def send_bulk(data: Values, organisation: Organisation, request_sha256: str) -> BulkRequest:
    """One text for all. Raises InvalidRequest with all faults, also those that the service sees."""
    faults = unknown_fields(data, SEND_BULK)
    at = times.timestamp(data, clock.now(), faults)
    return checked(organisation, _bulk(data, at, request_sha256, faults), faults)


def send(data: Values, organisation: Organisation, request_sha256: str) -> BulkRequest:
    """One SMS. Raises InvalidRequest as :func:`send_bulk`."""
    faults = unknown_fields(data, SEND)
    at = times.timestamp(data, clock.now(), faults)
    return checked(organisation, _single(data, at, request_sha256, faults), faults)


def schedule(data: Values, organisation: Organisation, request_sha256: str) -> BulkRequest:
    """Either of them, later: one SMS unless there are ``recipients``. Raises InvalidRequest."""
    is_bulk = "recipients" in data
    known = (SEND_BULK if is_bulk else SEND) - {"scheduleTimestamp"}
    faults = unknown_fields(data, known | WHEN)
    at = times.local(data, faults)
    read = _bulk if is_bulk else _single
    request = read(data, at, request_sha256, faults)
    return checked(organisation, request, faults, names.SCHEDULE_NAMES)


def _bulk(data: Values, at: dt.datetime | None, sha256: str, faults: Faults) -> BulkRequest:
    recipients = fields.array(data, "recipients", faults, "an array of phone numbers")
    return BulkRequest(
        recipients=recipients or [],
        message=data.get("message"),
        scheduled_at=at,
        request_sha256=sha256,
        **_options(data, faults),
    )


def _single(data: Values, at: dt.datetime | None, sha256: str, faults: Faults) -> BulkRequest:
    to = number(data, faults)
    faults += validation.message_errors(data.get("message"))
    variables = fields.mapping(data, "variables", faults)
    item = {"to": to, "message": data.get("message"), "variables": variables}
    return BulkRequest(
        messages=[item], scheduled_at=at, request_sha256=sha256, **_options(data, faults)
    )


def _options(data: Values, faults: Faults) -> dict[str, Any]:
    """What both have, by the names of BulkRequest."""
    return {
        "sender_id": data.get("senderId"),
        "priority": fields.choice(data, "priority", PRIORITIES, faults) or NORMAL,
        "reference": fields.text(data, "messageId", faults) or "",
        "user_label": fields.text(data, "userId", faults) or "",
        "name": fields.text(data, "messageName", faults) or "",
        "tags": tuple(fields.array(data, "tags", faults, "an array of strings") or ()),
        "metadata": fields.mapping(data, "customData", faults) or {},
    }


def number(data: Values, faults: Faults, prefix: str = "") -> object:
    """The recipient, under either of its names; under both it must be the same one."""
    given = [data[name] for name in NUMBER if data.get(name) is not None]
    if len(given) == 2 and given[0] != given[1]:
        detail = "recipient and recipientPhoneNumber are one field; give one of them."
        faults.append(FieldError(f"{prefix}recipient", "two_recipients", detail))
    if not given:
        detail = "Give the recipient's phone number."
        faults.append(FieldError(f"{prefix}recipientPhoneNumber", "required", detail))
    return given[0] if given else None


def checked(
    organisation: Organisation, request: BulkRequest, faults: Faults,
    words: Mapping[str, str] = names.NAMES,
) -> BulkRequest:  # fmt: skip
    """``request``, or all its faults: the service finds its own when there are none of shape."""
    if not faults:
        return request
    known = {fault.field for fault in faults}
    try:
        validation.check(organisation, request, clock.now())
    except InvalidRequest as found:
        more = [names.translate(fault, words) for fault in found.errors]
        faults = [*faults, *(fault for fault in more if fault.field not in known)]
    raise InvalidRequest(faults)


def item_type(where: str) -> FieldError:
    return wrong_type(where, "an object with a recipient and a message")
