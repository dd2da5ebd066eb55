"""The array form: each item a single SMS with its own text, sender and labels.

Ten thousand items are read with one look at each; what they share is said once, of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulksms import clock, conf
from bulksms.api import fields
from bulksms.api.fields import MAX_NAMED, Faults, unknown_fields, wrong_type
from bulksms.api.outbox import times
from bulksms.api.outbox.inputs import SEND, checked, item_type, number
from bulksms.exceptions import FieldError
from bulksms.models import Organisation
from bulksms.models.outbox import NORMAL, PRIORITIES
from bulksms.services.labels import Own
from bulksms.services.validation import BulkRequest

Item = Mapping[str, Any]

#: What one array has only one of: it becomes one bulk entry, which leaves at one time.
SHARED = ("priority", "scheduleTimestamp")

_KINDS: Mapping[str, tuple[type, str]] = {
    "senderId": (str, "a string"),
    "messageName": (str, "a string"),
    "messageId": (str, "a string"),
    "userId": (str, "a string"),
    "priority": (str, "a string"),
    "scheduleTimestamp": (str, "a string"),
    "variables": (dict, "an object"),
    "customData": (dict, "an object"),
    "tags": (list, "an array of strings"),
}


def send_array(
    items: Sequence[object], organisation: Organisation, request_sha256: str
) -> BulkRequest:
    """Raises InvalidRequest with all faults (of the items, the first ones)."""
    if not 0 < len(items) <= conf.settings.MAX_RECIPIENTS:
        return BulkRequest(messages=[{}] * len(items))  # the service says what is wrong with it
    faults: Faults = []
    for index, item in enumerate(items):
        if len(faults) >= MAX_NAMED:
            break
        _check(item, f"[{index}]", faults)
    if faults:
        return checked(organisation, BulkRequest(messages=[{}], own=[Own()]), faults)
    shaped: Sequence[Item] = items  # type: ignore[assignment]
    shared = _shared(shaped, faults)
    at = times.timestamp(shared, clock.now(), faults)
    priority = fields.choice(shared, "priority", PRIORITIES, faults) or NORMAL
    request = BulkRequest(
        messages=[_message(item) for item in shaped],
        own=[_own(item) for item in shaped],
        scheduled_at=at,
        priority=priority,
        request_sha256=request_sha256,
    )
    return checked(organisation, _say_once(request), faults)


def _check(item: object, where: str, faults: Faults) -> None:
    if not isinstance(item, dict):
        faults.append(item_type(where))
        return
    if not item.keys() <= SEND:
        faults += unknown_fields(item, SEND, f"{where}.")
    number(item, faults, f"{where}.")
    for name, value in item.items():
        kind, wanted = _KINDS.get(name, (object, ""))
        if value is not None and not isinstance(value, kind):
            faults.append(wrong_type(f"{where}.{name}", wanted))


def _shared(items: Sequence[Item], faults: Faults) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in SHARED:
        given = {item.get(name) for item in items}
        if len(given) > 1:
            detail = f"All items of an array have the same {name}; send one array for each."
            faults.append(FieldError(name, "must_be_the_same", detail))
        else:
            found[name] = given.pop()
    return found


def _message(item: Item) -> Item:
    """As the service takes it."""
    to = item.get("recipient")
    found = {"to": item.get("recipientPhoneNumber") if to is None else to}
    return found | {"message": item.get("message"), "variables": item.get("variables")}


def _own(item: Item) -> Own:
    return Own(
        item.get("senderId"),
        item.get("messageId") or "",
        item.get("userId") or "",
        item.get("messageName") or "",
        tuple(item.get("tags") or ()),
        item.get("customData") or {},
    )


def _say_once(request: BulkRequest) -> BulkRequest:
    """Labels that all items share become the request's; a messageId is always an item's."""
    own = request.own or ()
    first = own[0]
    if not all(not each.reference and each.labels == first.labels for each in own):
        return request
    return replace(
        request, own=[Own(each.sender_id) for each in own],
        user_label=first.user_label, name=first.name, tags=first.tags, metadata=first.metadata,
    )  # fmt: skip
