"""The shape of this dialect's requests to read: ids in addresses, filters and pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import QueryDict

from bulksms.api.fields import Faults, unknown_fields
from bulksms.api.outbox import cursors
from bulksms.exceptions import FieldError, InvalidRequest, NotFound
from bulksms.services import costs, entry_pages
from bulksms.services import entries as service
from bulksms.sms import written

PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
MAX_LABEL_LENGTH = 255

PAGE = frozenset({"cursor", "pageSize"})
FILTERS = frozenset({"status", "tag", "messageName", "userId"})


@dataclass(frozen=True, slots=True)
class EntriesOrder:
    """A request for one page of entries."""

    filters: entry_pages.Filters
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True)
class RatesOrder:
    """A request for one page of prices."""

    after: int | None
    limit: int


def entries(parameters: QueryDict) -> EntriesOrder:
    """Raises InvalidRequest with all faults."""
    faults = _unknown(parameters, PAGE | FILTERS)
    after = _entry_cursor(parameters.get("cursor"), faults)
    limit = _page_size(parameters, faults)
    filters = entry_pages.Filters(
        status=_status(parameters.get("status"), faults),
        tag=_label(parameters, "tag", faults),
        name=_label(parameters, "messageName", faults),
        user_label=_label(parameters, "userId", faults),
    )
    if faults:
        raise InvalidRequest(faults)
    return EntriesOrder(filters, after, limit)


def rates(parameters: QueryDict) -> RatesOrder:
    """Raises InvalidRequest with all faults."""
    faults = _unknown(parameters, PAGE)
    text = parameters.get("cursor")
    after = None if text is None else cursors.read_rate(text)
    if text is not None and after is None:
        faults.append(costs.INVALID_CURSOR)
    limit = _page_size(parameters, faults)
    if faults:
        raise InvalidRequest(faults)
    return RatesOrder(after, limit)


def no_parameters(parameters: QueryDict) -> None:
    """Raises InvalidRequest when there are any."""
    if faults := _unknown(parameters, frozenset()):
        raise InvalidRequest(faults)


def entry_id(text: str) -> UUID:
    """What is no UUID is no entry, as an unknown one is. Raises NotFound."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is no outbox entry {written.shown(text)}.") from None


def _unknown(parameters: QueryDict, known: frozenset[str]) -> Faults:
    return unknown_fields(dict.fromkeys(parameters), known)


def _entry_cursor(text: str | None, faults: Faults) -> UUID | None:
    if text is None:
        return None
    after = cursors.read(text)
    if after is None:
        faults.append(entry_pages.INVALID_CURSOR)
    return after


def _page_size(parameters: QueryDict, faults: Faults) -> int:
    text = parameters.get("pageSize")
    if text is None:
        return PAGE_SIZE
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_PAGE_SIZE:
        return int(text)
    detail = f"The pageSize must be a whole number from 1 to {MAX_PAGE_SIZE}."
    faults.append(FieldError("pageSize", "invalid_value", detail))
    return PAGE_SIZE


def _status(text: str | None, faults: Faults) -> str:
    if text is None or text in service.STATUSES:
        return text or ""
    detail = f"The status must be one of: {', '.join(service.STATUSES)}."
    faults.append(FieldError("status", "invalid_value", detail))
    return ""


def _label(parameters: QueryDict, name: str, faults: Faults) -> str:
    """Something to look for; what no label can be is a fault, as a misspelt name would be."""
    text = parameters.get(name)
    if text is None:
        return ""
    if 0 < len(text) <= MAX_LABEL_LENGTH and "\x00" not in text:
        return text
    detail = f"The {name} to look for is text of 1 to {MAX_LABEL_LENGTH} characters."
    faults.append(FieldError(name, "invalid_value", detail))
    return ""
