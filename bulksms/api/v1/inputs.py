"""The shape of v1's requests. Every fault found is named, nothing that was asked is ignored.

A field of a later version is refused as ``not_supported`` and a misspelt one as ``unknown_field``:
a typo in ``scheduled_at`` must not send now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import QueryDict

from bulksms import clock, states
from bulksms.api.v1 import cursors
from bulksms.exceptions import FieldError, InvalidRequest, NotFound
from bulksms.models import Organisation
from bulksms.services import validation
from bulksms.sms import numbers, written

PAGE_SIZE = 100
MAX_PAGE_SIZE = 500
#: A body may have any number of fields that we do not know; so many are named.
MAX_UNKNOWN = 20

IDEMPOTENCY_KEY = "Idempotency-Key"
SEND_BULK = frozenset({"recipients", "message", "sender_id"})
SEND_BULK_LATER = frozenset({
    "scheduled_at", "priority", "reference", "tags", "metadata", "expires_at", "max_cost",
    "on_insufficient_funds", "messages",
})  # fmt: skip
PAGE = frozenset({"status", "mobile", "cursor", "page_size"})

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """A request to send, of the right shape."""

    recipients: Sequence[object]
    message: str
    sender_id: str | None


@dataclass(frozen=True, slots=True)
class PageOrder:
    """A request for one page of a campaign's messages."""

    campaign_id: UUID
    after: UUID | None
    limit: int
    statuses: tuple[str, ...]
    number: str


# Sending


def send_bulk(data: Values, headers: Mapping[str, str], organisation: Organisation) -> BulkOrder:
    """Raises InvalidRequest with all faults, also those that only the service sees."""
    faults = unknown_fields(data, SEND_BULK, SEND_BULK_LATER)
    if IDEMPOTENCY_KEY in headers:
        faults.append(_not_supported(IDEMPOTENCY_KEY))
    recipients, message, sender_id = (data.get(n) for n in ("recipients", "message", "sender_id"))
    if recipients is None:
        recipients = []
    if not isinstance(recipients, list):
        faults.append(_wrong_type("recipients", "an array of phone numbers"))
        recipients = []
    is_shaped = isinstance(message, str) and isinstance(sender_id, str | None)
    if faults or not is_shaped:
        faults += _seen_by_the_service(organisation, recipients, message, sender_id, faults)
        raise InvalidRequest(faults)
    return BulkOrder(recipients, str(message), None if sender_id is None else str(sender_id))


def _seen_by_the_service(
    organisation: Organisation, recipients: Sequence[object], message: object, sender_id: object,
    named: Iterable[FieldError],
) -> list[FieldError]:  # fmt: skip
    """The service's own findings about fields that are not named as faulty yet."""
    known = {fault.field for fault in named}
    request = validation.BulkRequest(recipients=recipients, message=message, sender_id=sender_id)
    try:
        validation.check(organisation, request, clock.now())
    except InvalidRequest as found:
        return [fault for fault in found.errors if fault.field not in known]
    return []


# Reading


def by_path(text: str, parameters: QueryDict) -> UUID:
    """The campaign of an address that takes no parameters. Raises InvalidRequest, NotFound."""
    no_parameters(parameters)
    return _found(_uuid(text), text)


def by_body(data: Values) -> UUID:
    """The campaign of a body that has nothing else. Raises InvalidRequest, NotFound."""
    faults = unknown_fields(data, ("campaign_id",))
    text = _campaign_id(data.get("campaign_id"), faults)
    if faults:
        raise InvalidRequest(faults)
    return _found(_uuid(text), text)


def page_by_path(text: str, parameters: QueryDict, region: str) -> PageOrder:
    """Raises InvalidRequest with all faults, NotFound."""
    values = _as_body(parameters)
    return _page(text, values, region, unknown_fields(values, PAGE))


def page_by_body(data: Values, region: str) -> PageOrder:
    """Raises InvalidRequest with all faults, NotFound."""
    faults = unknown_fields(data, PAGE | {"campaign_id"})
    return _page(_campaign_id(data.get("campaign_id"), faults), data, region, faults)


def no_parameters(parameters: QueryDict) -> None:
    """Raises InvalidRequest when there are any."""
    if faults := unknown_fields(_as_body(parameters), ()):
        raise InvalidRequest(faults)


def _page(text: str, values: Values, region: str, faults: list[FieldError]) -> PageOrder:
    campaign = _uuid(text)
    after = _cursor(values.get("cursor"), campaign, faults)
    limit = _page_size(values.get("page_size"), faults)
    statuses = _statuses(values.get("status"), faults)
    number = _number(values.get("mobile"), region, faults)
    if faults:
        raise InvalidRequest(faults)
    return PageOrder(_found(campaign, text), after, limit, statuses, number)


def _as_body(parameters: QueryDict) -> dict[str, object]:
    """A query string as if it were a body: ``status`` may repeat, ``page_size`` is a number."""
    values: dict[str, object] = {name: parameters[name] for name in parameters}
    if "status" in values:
        values["status"] = parameters.getlist("status")
    size = values.get("page_size")
    if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 10:
        values["page_size"] = int(size)
    return values


def _campaign_id(given: object, faults: list[FieldError]) -> str:
    if isinstance(given, str):
        return given
    if given is None:
        faults.append(FieldError("campaign_id", "required", "Give the campaign_id."))
    else:
        faults.append(_wrong_type("campaign_id", "a string"))
    return ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _found(campaign: UUID | None, text: str) -> UUID:
    """What is no UUID is no campaign, as an unknown one is."""
    if campaign is None:
        raise NotFound(f"There is no campaign {written.shown(text)}.")
    return campaign


def _cursor(given: object, campaign: UUID | None, faults: list[FieldError]) -> UUID | None:
    if given is None or campaign is None:
        return None
    after = cursors.read(given, campaign) if isinstance(given, str) else None
    if after is None:
        detail = "This is no cursor of this campaign. Give a next_cursor as it was answered."
        faults.append(FieldError("cursor", "invalid_cursor", detail))
    return after


def _page_size(given: object, faults: list[FieldError]) -> int:
    if given is None:
        return PAGE_SIZE
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MAX_PAGE_SIZE:
        return given
    detail = f"The page_size must be a whole number from 1 to {MAX_PAGE_SIZE}."
    faults.append(FieldError("page_size", "invalid_value", detail))
    return PAGE_SIZE


def _statuses(given: object, faults: list[FieldError]) -> tuple[str, ...]:
    """One status or an array of them."""
    if given is None:
        return ()
    wanted = given if isinstance(given, list) else [given]
    known = tuple(s for s in states.MESSAGE_STATES if s in wanted)
    if not wanted or not all(isinstance(one, str) and one in known for one in wanted):
        detail = f"The status must be one or several of: {', '.join(states.MESSAGE_STATES)}."
        faults.append(FieldError("status", "invalid_value", detail))
    return known


def _number(given: object, region: str, faults: list[FieldError]) -> str:
    """A phone number in any form that sending takes too."""
    if given is None:
        return ""
    found = numbers.normalise(given, region)
    if isinstance(found, numbers.Number):
        return found.e164
    faults.append(FieldError("mobile", validation.INVALID_RECIPIENT, found.detail))
    return ""


# Faults


def unknown_fields(
    data: Values, known: Collection[str], later: Collection[str] = ()
) -> list[FieldError]:
    """A fault for each field that is not ``known``, in the order of the body."""
    faults: list[FieldError] = []
    for name in data:
        if name in later:
            faults.append(_not_supported(name))
        elif name not in known and len(faults) < MAX_UNKNOWN:
            shown = written.shown(name)
            faults.append(FieldError(shown, "unknown_field", f"There is no field {shown!r}."))
    return faults


def _not_supported(name: str) -> FieldError:
    return FieldError(name, "not_supported", f"{name} is not supported yet.")


def _wrong_type(name: str, wanted: str) -> FieldError:
    return FieldError(name, "invalid_type", f"The {name} must be {wanted}.")
