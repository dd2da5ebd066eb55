"""What is right and what is wrong with a request as a whole, before any money is looked at.

Every fault is found in one go and raised together as InvalidRequest. Single recipients are looked
at in ``recipients``: a bad one stops nobody else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bulksms import conf, money
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation, SenderId
from bulksms.models.outbox import HIGH, NORMAL, PRIORITIES
from bulksms.services import labels
from bulksms.services.labels import Own
from bulksms.sms import encoding, segments

INVALID_RECIPIENT = "invalid_recipient"
PARTIAL, REJECT = "partial", "reject"

#: So many faults of single messages are named.
MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A request as the caller made it; nothing is checked yet. Texts and numbers stay out of repr.

    Either ``recipients`` (one ``message`` for all) or ``messages``: mappings with ``to`` and, each
    optional, ``message`` and ``variables``.

    ``own`` makes each of ``messages`` a single SMS: one :class:`Own` for each, with its sender and
    labels; nothing is removed as a duplicate. ``request_sha256`` is what a repeat with the same
    references is compared with.
    """

    recipients: Sequence[object] | None = field(default=None, repr=False)
    message: object = field(default=None, repr=False)
    messages: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    sender_id: object = None
    scheduled_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    priority: str = NORMAL
    reference: str = ""
    tags: Sequence[object] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    max_cost: Decimal | str | None = None
    on_insufficient_funds: str = PARTIAL
    #: The texts are blanked once nothing more is asked with them.
    sensitive: bool = False
    user_label: str = ""
    name: str = ""
    own: Sequence[Own] | None = field(default=None, repr=False)
    request_sha256: str = ""

    @property
    def size(self) -> int:
        return len(self.recipients if self.recipients is not None else self.messages or ())

    @property
    def references(self) -> set[str]:
        """All that are given, of the request and of its messages."""
        return {self.reference, *(each.reference for each in self.own or ())} - {""}


@dataclass(frozen=True, slots=True)
class Terms:
    """What was found right: the sender as registered, when it is due and over, what it may cost.

    ``sender`` is empty when messages have different ones.
    """

    sender: str
    due_at: dt.datetime
    expires_at: dt.datetime
    max_cost_micros: int | None


def check(organisation: Organisation, request: BulkRequest, now: dt.datetime) -> Terms:
    """The terms of an acceptable request. Raises InvalidRequest with every fault found."""
    errors = [*_audience_errors(request), *_text_errors(request), *_label_errors(request)]
    sender, faults = _sender(organisation, request)
    errors += faults
    due_at, expires_at, faults = _times(request, now)
    errors += faults
    max_cost, faults = _max_cost(request)
    errors += faults
    errors += _priority_errors(request)
    errors += _reference_errors(organisation, request)
    if errors:
        raise InvalidRequest(errors)
    return Terms(sender, due_at, expires_at, max_cost)


# Who and what


def _audience_errors(request: BulkRequest) -> list[FieldError]:
    if (request.recipients is None) == (request.messages is None):
        detail = "Give either recipients with one message, or messages with a text for each."
        return [FieldError("recipients", "recipients_or_messages", detail)]
    name = "messages" if request.recipients is None else "recipients"
    limit = conf.settings.MAX_RECIPIENTS
    if not request.size:
        return [FieldError(name, "recipients_empty", "Give at least one recipient.")]
    if request.size > limit:
        detail = f"At most {limit} recipients in one request, got {request.size}. Split the list."
        return [FieldError(name, "too_many_recipients", detail)]
    return []


def _text_errors(request: BulkRequest) -> list[FieldError]:
    if request.messages is not None and request.message is None:
        return []
    return message_errors(request.message)


def message_errors(message: object, name: str = "message") -> list[FieldError]:
    """The faults of one text."""
    return message_units(message, conf.settings.MAX_PARTS, name)[1]


def message_units(
    message: object, limit: int, name: str = "message"
) -> tuple[int, list[FieldError]]:
    """How many parts a text takes, and its faults; ``limit`` is the most parts."""
    faults = _faults_but_length(message, name)
    if faults or not isinstance(message, str):
        return 0, faults
    if len(message) <= limit * segments.GSM7_SINGLE:  # counting a megabyte would take its time
        _, units = segments.count(message)
        if units <= limit:
            return units, []
        detail = f"The text takes {units} parts; at most {limit} are allowed. Shorten it."
    else:
        detail = f"The text has {len(message)} characters, more than {limit} parts. Shorten it."
    return 0, [FieldError(name, "message_too_long", detail)]


def _faults_but_length(message: object, name: str) -> list[FieldError]:
    if message is None or (isinstance(message, str) and not message.strip()):
        return [FieldError(name, "message_required", "Give the text of the message.")]
    if not isinstance(message, str):
        return [FieldError(name, "invalid_type", "The message must be a string.")]
    if not encoding.is_sendable(message):
        detail = "The text has characters that no SMS can carry: NUL or half of a surrogate pair."
        return [FieldError(name, "message_invalid_characters", detail)]
    return []


def _sender(organisation: Organisation, request: BulkRequest) -> tuple[str, list[FieldError]]:
    """The one sender of the request; of several, each message is asked for its own later."""
    if not request.own:
        return find_sender(organisation, request.sender_id)
    if len({each.sender_id for each in request.own}) > 1:
        return "", []
    return find_sender(organisation, request.own[0].sender_id)


def find_sender(organisation: Organisation, wanted: object) -> tuple[str, list[FieldError]]:
    """The sender as registered, matched without case; none given = the default one."""
    return sender_finder(organisation)(wanted)


def sender_finder(
    organisation: Organisation,
) -> Callable[[object], tuple[str, list[FieldError]]]:
    """``find_sender`` for many: the organisation's senders are read once."""
    approved = SenderId.objects.filter(organisation=organisation, status=SenderId.STATUS.approved)
    rows = list(approved.order_by("-id").values_list("name", "is_default"))
    by_upper = {name.upper(): name for name, _ in rows}
    default = next((name for name, is_default in rows if is_default), "")

    def find(wanted: object) -> tuple[str, list[FieldError]]:
        if wanted is None:
            return default, [] if default else [_SENDER_REQUIRED]
        if not isinstance(wanted, str):
            return "", [FieldError("sender_id", "invalid_type", "The sender_id must be a string.")]
        clean = "".join(c for c in wanted if c.isprintable())[:16]
        if clean == wanted and wanted.upper() in by_upper:
            return by_upper[wanted.upper()], []
        return "", [_SENDER_NOT_ALLOWED]

    return find


_SENDER_REQUIRED = FieldError(
    "sender_id",
    "sender_required",
    "No sender_id was given and the organisation has no default one. Give a sender_id.",
)
_SENDER_NOT_ALLOWED = FieldError(
    "sender_id",
    "sender_not_allowed",
    "This sender_id is not registered and approved for your organisation.",
)


# When


def _times(
    request: BulkRequest, now: dt.datetime
) -> tuple[dt.datetime, dt.datetime, list[FieldError]]:
    """When it is due and when it expires: 48 hours after that unless the caller says otherwise."""
    errors: list[FieldError] = []
    due_at, expires_at = now, None
    if request.scheduled_at is not None:
        errors += moment_errors("scheduled_at", request.scheduled_at, now)
        due_at = due_at if errors else request.scheduled_at
    if request.expires_at is not None:
        faults = moment_errors("expires_at", request.expires_at, due_at)
        expires_at = None if faults else request.expires_at
        errors += faults
    default = due_at + dt.timedelta(seconds=conf.settings.EXPIRY_S)
    return due_at, expires_at or default, errors


def moment_errors(name: str, moment: dt.datetime, after: dt.datetime) -> list[FieldError]:
    """The faults of a moment that has to come after another one, and not too long after it."""
    if moment.tzinfo is None:
        detail = f"{name} needs a time zone, e.g. 2026-01-31T08:00:00+03:00."
        return [FieldError(name, "time_zone_required", detail)]
    if moment <= after:
        return [FieldError(name, "in_the_past", f"{name} is not in the future.")]
    days = conf.settings.MAX_SCHEDULE_DAYS
    if moment > after + dt.timedelta(days=days):
        detail = f"{name} is more than {days} days ahead."
        return [FieldError(name, "too_far_ahead", detail)]
    return []


# How much, how urgent


def _max_cost(request: BulkRequest) -> tuple[int | None, list[FieldError]]:
    errors = []
    if request.on_insufficient_funds not in (PARTIAL, REJECT):
        detail = f"on_insufficient_funds must be {PARTIAL} or {REJECT}."
        errors.append(FieldError("on_insufficient_funds", "invalid_choice", detail))
    if request.max_cost is None:
        return None, errors
    try:
        micros = money.parse(request.max_cost)
    except money.MoneyError as error:
        return None, [*errors, FieldError("max_cost", "invalid_amount", str(error))]
    if micros < 0:
        errors.append(FieldError("max_cost", "invalid_amount", "max_cost cannot be negative."))
    return micros, errors


def _priority_errors(request: BulkRequest) -> list[FieldError]:
    if request.priority not in PRIORITIES:
        detail = f"priority must be {' or '.join(PRIORITIES)}."
        return [FieldError("priority", "invalid_choice", detail)]
    limit = conf.settings.HIGH_PRIORITY_MAX_RECIPIENTS
    if request.priority == HIGH and request.size > limit:
        detail = f"priority high is for at most {limit} recipients, got {request.size}."
        return [FieldError("priority", "too_many_for_high_priority", detail)]
    return []


# Labels


def _label_errors(request: BulkRequest) -> list[FieldError]:
    """Faults of the request's labels, and of those of its single messages ("[7].tags")."""
    common = Own(
        None, request.reference, request.user_label, request.name, request.tags, request.metadata
    )
    errors = labels.faults(common)
    for index, own in enumerate(request.own or ()):
        if own.is_labelled and len(errors) < MAX_NAMED:
            errors += [replace(e, field=f"[{index}].{e.field}") for e in labels.faults(own)]
    return errors


def _reference_errors(organisation: Organisation, request: BulkRequest) -> list[FieldError]:
    return [REFERENCE_TAKEN] if labels.holders(organisation, request.references) else []


REFERENCE_TAKEN = FieldError(
    "reference",
    "reference_taken",
    "This reference was used before. Give another one, or an idempotency key to repeat a request.",
)
