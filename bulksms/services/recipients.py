"""From what the caller wrote to drafts: one per recipient, in input order, each with its text.

A bad recipient is a refused draft and stops nobody else. Nothing here knows of money.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bulksms import conf, ids, states
from bulksms.models import Message, Organisation
from bulksms.services import routing, validation
from bulksms.services.outbox import Draft
from bulksms.sms import numbers, segments, templates, written

DESTINATION_NOT_ALLOWED = "destination_not_allowed"
NO_ROUTE = "no_route"

Found = numbers.Number | numbers.Refusal


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts of the unique recipients, and how many duplicates were left out."""

    rows: list[Draft]
    duplicates: int


def with_one_text(organisation: Organisation, recipients: Sequence[object], text: str) -> Drafts:
    """One text for all: a number is a duplicate of itself; of equal inputs the first one stays."""
    _, units = segments.count(text)
    seen: set[str] = set()
    rows: list[Draft] = []
    make = _Maker(organisation, ids.sequence(len(recipients)))
    for found in numbers.normalise_many(recipients, organisation.default_region):
        key = _identity(found)
        if key not in seen:
            seen.add(key)
            rows.append(make.draft(found, None, units))
    return Drafts(rows, len(recipients) - len(rows))


def with_own_texts(
    organisation: Organisation,
    messages: Sequence[Mapping[str, Any]],
    common: str | None,
    *,
    keep_all: bool = False,
) -> Drafts:
    """A text for each (its own, or ``common`` filled with its variables).

    The same number is a duplicate only with the same rendered text; ``keep_all``: nothing is.
    """
    found_numbers = numbers.normalise_many(
        [item.get("to") for item in messages], organisation.default_region
    )
    texts = _Texts(common)
    seen: set[tuple[str, str | None]] = set()
    rows: list[Draft] = []
    make = _Maker(organisation, ids.sequence(len(messages)))
    for item, found in zip(messages, found_numbers, strict=True):
        text, units, fault = texts.render(item)
        key = (_identity(found), text)
        if key in seen and not fault and not keep_all:
            continue
        seen.add(key)
        draft = make.draft(found, text, units)
        if fault and draft.status == states.QUEUED:
            draft.refuse(*fault)
        rows.append(draft)
    return Drafts(rows, len(messages) - len(rows))


def again(organisation: Organisation, messages: Sequence[Message]) -> list[Draft]:
    """Drafts of messages that were stored before, with their ids, under today's rules and routes.

    What was never read because the money had run out is read now.
    """
    found = numbers.normalise_many(
        [f"+{row.number}" if row.number else row.input for row in messages],
        organisation.default_region,
    )
    make = _Maker(organisation, iter(row.id for row in messages))
    drafts = []
    for row, number in zip(messages, found, strict=True):
        draft = make.draft(number, row.text, row.units)
        draft.sender = row.sender
        if not row.units and not draft.error:
            draft.refuse("message_required", "It has no text that could be sent.")
        drafts.append(draft)
    return drafts


def _identity(found: Found) -> str:
    """What makes two inputs the same recipient: the number, or the same invalid writing."""
    return found.e164 if isinstance(found, numbers.Number) else f"?{found.input.strip()}"


class _Maker:
    """Makes drafts of one organisation."""

    def __init__(self, organisation: Organisation, ids: Iterator[UUID]) -> None:
        self._route = routing.router(organisation)
        self._regions = organisation.regions
        self._ids = ids

    def draft(self, found: Found, text: str | None, units: int) -> Draft:
        if isinstance(found, numbers.Refusal):
            draft = Draft(next(self._ids), "", found.input, text, units)
            draft.refuse(validation.INVALID_RECIPIENT, found.detail)
            return draft
        shown = "" if found.input == found.e164 else written.shown(found.input)
        draft = Draft(next(self._ids), found.e164, shown, text, units)
        draft.carrier = self._route(found.e164)
        if found.region not in self._regions:
            allowed = ", ".join(sorted(self._regions))
            detail = f"Messages to {found.region} are not allowed (only {allowed})."
            draft.refuse(DESTINATION_NOT_ALLOWED, detail)
        elif not draft.carrier:
            draft.refuse(NO_ROUTE, "No carrier is configured for this number.")
        return draft


Fault = tuple[str, str]


class _Texts:
    """Renders each recipient's text; a template that many share is compiled once."""

    def __init__(self, common: str | None) -> None:
        self._common = common
        self._most = conf.settings.MAX_PARTS
        #: What is known of a text with a brace, which many may share: its template, or its fault.
        self._known: dict[str, templates.Template | Fault] = {}

    def render(self, item: Mapping[str, Any]) -> tuple[str | None, int, Fault | None]:
        """The text and its parts, or None, 0 and why there is none (a code and a sentence)."""
        text = item.get("message", self._common)
        if not isinstance(text, str) or "{" not in text:
            return self._checked(text)
        known = self._known.get(text) or self._look(text)
        if isinstance(known, tuple):
            return None, 0, known
        try:
            return self._checked(known.render(item.get("variables") or {}))
        except templates.TemplateError as error:
            return None, 0, (_code(error), str(error))

    def _checked(self, text: object) -> tuple[str | None, int, Fault | None]:
        units, faults = validation.message_units(text, self._most)
        if faults or not isinstance(text, str):
            return None, 0, (faults[0].code, faults[0].detail)
        return text, units, None

    def _look(self, text: str) -> templates.Template | Fault:
        _, _, fault = self._checked(text)
        try:
            self._known[text] = fault or templates.compile(text)
        except templates.TemplateError as error:
            self._known[text] = _code(error), str(error)
        return self._known[text]


def _code(error: templates.TemplateError) -> str:
    match error:
        case templates.MissingVariable():
            return "missing_variable"
        case templates.BadVariable():
            return "invalid_variable"
    return "message_too_long"
