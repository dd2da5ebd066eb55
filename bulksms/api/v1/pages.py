"""The shape of v1's requests to read: campaigns, pages of messages, filters."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from django.http import QueryDict

from bulksms import states
from bulksms.api import fields
from bulksms.api.fields import Faults, Values, unknown_fields, wrong_type
from bulksms.api.v1 import cursors
from bulksms.exceptions import FieldError, InvalidRequest, NotFound
from bulksms.models import Organisation
from bulksms.services import validation
from bulksms.services.listing import Filters
from bulksms.sms import numbers, written

PAGE_SIZE = 100
MAX_PAGE_SIZE = 500
#: A shorter piece of a number would be found everywhere.
MIN_PREFIX = 6
DEFAULT_RANGE = dt.timedelta(days=30)

PAGE = frozenset({"status", "mobile", "cursor", "page_size"})
LIST = PAGE | {"sender_id", "tag", "reference", "created_from", "created_to"}


@dataclass(frozen=True, slots=True)
class PageOrder:
    """A request for one page of a campaign's messages."""

    campaign_id: UUID
    after: UUID | None
    limit: int
    statuses: tuple[str, ...]
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListOrder:
    """A request for one page of all messages of an organisation."""

    filters: Filters
    after: UUID | None
    limit: int


def by_path(text: str, parameters: QueryDict) -> UUID:
    """The campaign of an address that takes no parameters. Raises InvalidRequest, NotFound."""
    no_parameters(parameters)
    return found(text)


def by_body(data: Values) -> UUID:
    """The campaign of a body that has nothing else. Raises InvalidRequest, NotFound."""
    faults = unknown_fields(data, ("campaign_id",))
    text = _campaign_id(data.get("campaign_id"), faults)
    if faults:
        raise InvalidRequest(faults)
    return found(text)


def found(text: str) -> UUID:
    """What is no UUID is no campaign, as an unknown one is. Raises NotFound."""
    campaign = _uuid(text)
    if campaign is None:
        raise NotFound(f"There is no campaign {written.shown(text)}.")
    return campaign


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


def messages(parameters: QueryDict, organisation: Organisation, now: dt.datetime) -> ListOrder:
    """A page of all messages, the newest first. Raises InvalidRequest with all faults."""
    values = _as_body(parameters)
    faults = unknown_fields(values, LIST)
    until = fields.moment(values, "created_to", faults)
    since = fields.moment(values, "created_from", faults)
    for name, moment in (("created_from", since), ("created_to", until)):
        if moment is not None and moment.tzinfo is None:
            detail = f"The {name} needs a time zone, e.g. 2026-01-31T08:00:00Z."
            faults.append(FieldError(name, "time_zone_required", detail))
    prefix, number = _mobile(values.get("mobile"), organisation.default_region, faults)
    after = _cursor(values.get("cursor"), cursors.of_organisation(organisation.pk), faults)
    limit = _page_size(values.get("page_size"), faults)
    statuses = _statuses(values.get("status"), faults)
    words = {name: _word(values, name, faults) for name in ("sender_id", "tag", "reference")}
    if faults:
        raise InvalidRequest(faults)
    filters = Filters(
        statuses=statuses, number=number, prefix=prefix, since=since or now - DEFAULT_RANGE,
        until=until, sender=words["sender_id"], tag=words["tag"], reference=words["reference"],
    )  # fmt: skip
    return ListOrder(filters, after, limit)


def _page(text: str, values: Values, region: str, faults: Faults) -> PageOrder:
    campaign = _uuid(text)
    after = _cursor(values.get("cursor"), campaign, faults)
    limit = _page_size(values.get("page_size"), faults)
    statuses = _statuses(values.get("status"), faults)
    number = _number(values.get("mobile"), region, faults)
    if faults:
        raise InvalidRequest(faults)
    return PageOrder(found(text), after, limit, statuses, number)


def _as_body(parameters: QueryDict) -> dict[str, object]:
    """A query string as if it were a body: ``status`` may repeat, ``page_size`` is a number."""
    values: dict[str, object] = {name: parameters[name] for name in parameters}
    if "status" in values:
        values["status"] = parameters.getlist("status")
    size = values.get("page_size")
    if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 10:
        values["page_size"] = int(size)
    return values


# Single fields


def _campaign_id(given: object, faults: Faults) -> str:
    if isinstance(given, str):
        return given
    if given is None:
        faults.append(FieldError("campaign_id", "required", "Give the campaign_id."))
    else:
        faults.append(wrong_type("campaign_id", "a string"))
    return ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _cursor(given: object, of: UUID | None, faults: Faults) -> UUID | None:
    if given is None or of is None:
        return None
    after = cursors.read(given, of) if isinstance(given, str) else None
    if after is None:
        detail = "This is no cursor of this list. Give a next_cursor as it was answered."
        faults.append(FieldError("cursor", "invalid_cursor", detail))
    return after


def _page_size(given: object, faults: Faults) -> int:
    if given is None:
        return PAGE_SIZE
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MAX_PAGE_SIZE:
        return given
    detail = f"The page_size must be a whole number from 1 to {MAX_PAGE_SIZE}."
    faults.append(FieldError("page_size", "invalid_value", detail))
    return PAGE_SIZE


def _statuses(given: object, faults: Faults) -> tuple[str, ...]:
    """One status or an array of them."""
    if given is None:
        return ()
    wanted = given if isinstance(given, list) else [given]
    known = tuple(s for s in states.MESSAGE_STATES if s in wanted)
    if not wanted or not all(isinstance(one, str) and one in known for one in wanted):
        detail = f"The status must be one or several of: {', '.join(states.MESSAGE_STATES)}."
        faults.append(FieldError("status", "invalid_value", detail))
    return known


def _number(given: object, region: str, faults: Faults) -> str:
    """A phone number in any form that sending takes too."""
    if given is None:
        return ""
    number = numbers.normalise(given, region)
    if isinstance(number, numbers.Number):
        return number.e164
    faults.append(FieldError("mobile", validation.INVALID_RECIPIENT, number.detail))
    return ""


def _mobile(given: object, region: str, faults: Faults) -> tuple[str, str]:
    """(prefix, "") of international digits that are no whole number, else ("", number)."""
    if isinstance(given, str):
        number = numbers.normalise(given, region)
        digits = given.strip().removeprefix("+")
        is_digits = digits.isascii() and digits.isdigit() and digits[0] != "0"
        if not isinstance(number, numbers.Number) and is_digits and len(digits) <= 15:
            if len(digits) >= MIN_PREFIX:
                return digits, ""
            detail = f"The start of a number has at least {MIN_PREFIX} digits."
            faults.append(FieldError("mobile", "prefix_too_short", detail))
            return "", ""
    return "", _number(given, region, faults)


def _word(values: Values, name: str, faults: Faults) -> str:
    given = values.get(name)
    if isinstance(given, str) and "\x00" in given:
        detail = f"The {name} has a NUL in it. Remove it."
        faults.append(FieldError(name, "invalid_value", detail))
        return ""
    return given if isinstance(given, str) else ""
