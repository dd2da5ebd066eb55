"""What this dialect calls the fields that the services name, in faults and in their sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bulksms.api.errors import Problem
from bulksms.exceptions import FieldError

NAMES: Mapping[str, str] = {
    "sender_id": "senderId",
    "scheduled_at": "scheduleTimestamp",
    "reference": "messageId",
    "user_label": "userId",
    "name": "messageName",
    "metadata": "customData",
    "messages": "body",
    "message_ids": "nestedOutboxIds",
    "accept_duplicates": "acceptDuplicates",
}
#: Where the time is local.
SCHEDULE_NAMES: Mapping[str, str] = {**NAMES, "scheduled_at": "scheduleTime"}


def translate(fault: FieldError, names: Mapping[str, str] = NAMES) -> FieldError:
    """``fault`` in this dialect's words: "[7].metadata" becomes "[7].customData"."""
    prefix, _, name = fault.field.rpartition(".")
    ours = names.get(name)
    if ours is None or fault.code == "unknown_field":  # that one is the caller's own word
        return fault
    detail = re.sub(rf"\b{name}\b", ours, fault.detail)
    return FieldError(f"{prefix}.{ours}" if prefix else ours, fault.code, detail)


def in_our_words(problem: Problem, names: Mapping[str, str] = NAMES) -> Problem:
    """``problem`` with its faults translated; its sentence is that of the first one."""
    if not problem.errors:
        return problem
    errors = [translate(fault, names) for fault in problem.errors]
    return replace(problem, errors=errors, detail=errors[0].detail)
