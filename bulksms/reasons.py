"""Why a message did not arrive, in three classes: may pass, will not pass, or is up to us.

``temporary``: a later try may succeed (phone off, network busy). ``permanent``: it will not (no
such number, blocked). ``ours``: the carrier was not asked, or it was our own doing (no money).
Pure tables; a carrier adds its own permanent words (``Carrier.permanent_codes``).
"""

from __future__ import annotations

from collections.abc import Container

from bulksms import states

TEMPORARY = "temporary"
PERMANENT = "permanent"
OURS = "ours"

#: Nobody was asked for it in time.
EXPIRED_IN_QUEUE = "expired_in_queue"

#: Errors of our own making. They differ from carriers' words, which say what *they* did.
OUR_ERRORS = frozenset({
    "cancelled", "cannot_be_encoded", "destination_not_allowed", EXPIRED_IN_QUEUE,
    "insufficient_balance", "invalid_recipient", "invalid_variable", "message_invalid_characters",
    "message_required", "message_too_long", "missing_variable", "no_answer", "no_rate", "no_report",
    "no_route", "sender_not_allowed", "sender_required", "skipped", "spend_cap_reached",
    "suppressed", "worker_lost",
})  # fmt: skip

#: What a retry asks for without being told: it failed for want of money or of time.
RETRIED_BY_DEFAULT = frozenset({
    EXPIRED_IN_QUEUE, "insufficient_balance", "skipped", "spend_cap_reached",
})  # fmt: skip

#: No retry cures these, named or not.
NEVER_RETRIED = frozenset({"invalid_recipient"})


def error_class(status: str, error: str, permanent_codes: Container[str] = ()) -> str:
    """The class of a message's error; "" for a message without one."""
    if not error:
        return ""
    if error in OUR_ERRORS or status in (states.SKIPPED, states.CANCELLED):
        return OURS
    if error in permanent_codes or status in (states.FAILED, states.REJECTED):
        return PERMANENT
    return TEMPORARY
