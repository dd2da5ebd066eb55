"""What is right and what is wrong with a request, before any money is looked at.

Faults of the request as a whole raise InvalidRequest with all of them; a bad recipient is a refused
draft and stops nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Upper

from bulksms import conf, ids
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation, SenderId
from bulksms.services import routing
from bulksms.services.outbox import Draft
from bulksms.sms import encoding, numbers, segments, written

INVALID_RECIPIENT = "invalid_recipient"
DESTINATION_NOT_ALLOWED = "destination_not_allowed"
NO_ROUTE = "no_route"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request without faults of its own; single drafts may still be refused."""

    sender: str
    drafts: list[Draft]
    duplicates: int


def check_bulk(
    organisation: Organisation, recipients: Sequence[object], message: object, sender_id: object
) -> Accepted:
    """Validate a request with one text for all. Raises InvalidRequest with every fault found."""
    errors = [*_recipient_errors(recipients), *message_errors(message)]
    sender, sender_errors = _sender(organisation, sender_id)
    errors += sender_errors
    if errors or not isinstance(message, str):
        raise InvalidRequest(errors)
    _, units = segments.count(message)
    drafts, duplicates = _drafts(organisation, recipients, units)
    return Accepted(sender, drafts, duplicates)


# The request


def _recipient_errors(recipients: Sequence[object]) -> list[FieldError]:
    limit = conf.settings.MAX_RECIPIENTS
    if not recipients:
        detail = "Give at least one recipient."
        return [FieldError("recipients", "recipients_empty", detail)]
    if len(recipients) > limit:
        detail = (
            f"At most {limit} recipients in one request, got {len(recipients)}. Split the list."
        )
        return [FieldError("recipients", "too_many_recipients", detail)]
    return []


def message_errors(message: object, field: str = "message") -> list[FieldError]:
    """The faults of one text."""
    if message is None or (isinstance(message, str) and not message.strip()):
        return [FieldError(field, "message_required", "Give the text of the message.")]
    if not isinstance(message, str):
        return [FieldError(field, "invalid_type", "The message must be a string.")]
    bad = encoding.unsendable_characters(message)
    if bad:
        detail = "The text has characters that no SMS can carry: NUL or half of a surrogate pair."
        return [FieldError(field, "message_invalid_characters", detail)]
    limit, (_, units) = conf.settings.MAX_PARTS, segments.count(message)
    if units > limit:
        detail = f"The text takes {units} parts; at most {limit} are allowed. Shorten it."
        return [FieldError(field, "message_too_long", detail)]
    return []


def _sender(organisation: Organisation, wanted: object) -> tuple[str, list[FieldError]]:
    """The sender as registered. Matched without case; none given = the default one."""
    approved = SenderId.objects.filter(organisation=organisation, status=SenderId.STATUS.approved)
    if wanted is None:
        default = approved.filter(is_default=True).first()
        if default is not None:
            return default.name, []
        detail = "No sender_id was given and the organisation has no default one. Give a sender_id."
        return "", [FieldError("sender_id", "sender_required", detail)]
    if not isinstance(wanted, str):
        return "", [FieldError("sender_id", "invalid_type", "The sender_id must be a string.")]
    clean = "".join(c for c in wanted if c.isprintable())[:16]
    found = approved.annotate(upper=Upper("name")).filter(upper=clean.upper()).first()
    if found is not None and clean == wanted:
        return found.name, []
    detail = "This sender_id is not registered and approved for your organisation."
    return "", [FieldError("sender_id", "sender_not_allowed", detail)]


# The recipients


def _drafts(
    organisation: Organisation, recipients: Sequence[object], units: int
) -> tuple[list[Draft], int]:
    """A draft per unique recipient, in input order, and how many duplicates were left out."""
    seen: set[str] = set()
    drafts: list[Draft] = []
    fresh = ids.sequence(len(recipients))
    regions = organisation.regions
    for found in numbers.normalise_many(recipients, organisation.default_region):
        key = found.e164 if isinstance(found, numbers.Number) else f"?{found.input.strip()}"
        if key in seen:
            continue
        seen.add(key)
        drafts.append(_draft(next(fresh), found, organisation, regions, units))
    return drafts, len(recipients) - len(drafts)


def _draft(
    id_: UUID, found: numbers.Number | numbers.Refusal, organisation: Organisation,
    regions: frozenset[str], units: int,
) -> Draft:  # fmt: skip
    if isinstance(found, numbers.Refusal):
        draft = Draft(id_, "", found.input, None, units)
        draft.refuse(INVALID_RECIPIENT, found.detail)
        return draft
    same = found.input == found.e164
    draft = Draft(id_, found.e164, "" if same else written.shown(found.input), None, units)
    if found.region not in regions:
        allowed = ", ".join(sorted(regions))
        draft.refuse(
            DESTINATION_NOT_ALLOWED, f"Messages to {found.region} are not allowed (only {allowed})."
        )
        return draft
    draft.carrier = routing.route(found.e164, organisation)
    if not draft.carrier:
        draft.refuse(NO_ROUTE, "No carrier is configured for this number.")
    return draft
