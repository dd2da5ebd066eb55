"""The states of messages, submissions and campaigns, and the moves between them.

Pure tables. They are applied set-based: rows are locked, :func:`allowed` decides, and the UPDATE
repeats the old state in its WHERE. docs/explanation/states.md draws them.
"""

from __future__ import annotations

from collections.abc import Mapping

# Messages
QUEUED = "queued"
SENDING = "sending"
SENT = "sent"
UNKNOWN = "unknown"
DELIVERED = "delivered"
UNDELIVERED = "undelivered"
EXPIRED = "expired"
REJECTED = "rejected"
UNCONFIRMED = "unconfirmed"
FAILED = "failed"
SKIPPED = "skipped"
CANCELLED = "cancelled"

MESSAGE_STATES = (
    QUEUED, SENDING, SENT, UNKNOWN, DELIVERED, UNDELIVERED, EXPIRED, REJECTED, UNCONFIRMED,
    FAILED, SKIPPED, CANCELLED,
)  # fmt: skip

#: What a delivery report may say in the end.
REPORTED = frozenset({DELIVERED, UNDELIVERED, EXPIRED, REJECTED})

#: Still on its way: a row in one of these is not done.
OPEN = frozenset({QUEUED, SENDING, SENT, UNKNOWN})

FINAL = frozenset(MESSAGE_STATES) - OPEN

MESSAGE_MOVES: Mapping[str, frozenset[str]] = {
    QUEUED: frozenset({SENDING, CANCELLED, EXPIRED, FAILED}),
    SENDING: frozenset({SENT, QUEUED, FAILED, UNKNOWN}),
    SENT: REPORTED | {UNCONFIRMED},
    UNKNOWN: REPORTED | {SENT, FAILED, UNCONFIRMED, QUEUED},
    # The one final state that a real report may still correct.
    UNCONFIRMED: REPORTED,
}

#: States that a *new attempt* may leave (a retry, asked for by somebody).
RETRYABLE = frozenset({SKIPPED, FAILED, UNDELIVERED, EXPIRED, REJECTED})

#: Never asked for again by state, error or campaign: the first attempt may well have arrived. Only
#: by its own id, by somebody who says that a second copy is all right.
RETRYABLE_BY_ID = RETRYABLE | {UNCONFIRMED}

#: States of a message that the carrier took. ``expired`` may also mean: in our own queue.
ACCEPTED = frozenset({SENT}) | REPORTED | {UNCONFIRMED}


def allowed(old: str, new: str) -> bool:
    """Whether a message may go from ``old`` to ``new`` within one attempt."""
    return new in MESSAGE_MOVES.get(old, frozenset())


def arrives_late(old: str, new: str) -> bool:
    """A carrier's late "delivered" for an *earlier* attempt ends the one that is still queued."""
    return old == QUEUED and new == DELIVERED


def accepts(old: str, new: str) -> bool:
    """Whether this move is evidence that the carrier took the message."""
    return old != QUEUED and (new == SENT or new in REPORTED)


def charges(old: str, new: str) -> bool:
    """Whether what is held is captured on this move: on evidence, and at the deadline."""
    return accepts(old, new) or new == UNCONFIRMED


#: Campaign's counter column of each message state. One per state, exclusive: they add up.
COUNTERS: Mapping[str, str] = {
    QUEUED: "queued_count",
    SENDING: "sending_count",
    SENT: "awaiting_report_count",
    UNKNOWN: "unknown_count",
    DELIVERED: "delivered_count",
    UNDELIVERED: "undelivered_count",
    EXPIRED: "expired_count",
    REJECTED: "rejected_count",
    UNCONFIRMED: "unconfirmed_count",
    FAILED: "failed_count",
    SKIPPED: "skipped_count",
    CANCELLED: "cancelled_count",
}

# What became of a message's money
NONE = "none"
HELD = "held"
CAPTURED = "captured"
RELEASED = "released"
REFUNDED = "refunded"

CHARGES = (NONE, HELD, CAPTURED, RELEASED, REFUNDED)

#: The message states in which each charge may stand (a CHECK holds the same table). ``held`` on a
#: finished row means: its release waits for the wallet, the tick does it. A later attempt may also
#: be ``held`` and delivered, when a late word about an earlier one ended it in the queue.
CHARGE_STATES: Mapping[str, frozenset[str]] = {
    NONE: frozenset({FAILED, SKIPPED}),
    HELD: frozenset({QUEUED, SENDING, UNKNOWN, CANCELLED, EXPIRED, FAILED, UNCONFIRMED}),
    CAPTURED: ACCEPTED,
    RELEASED: frozenset({CANCELLED, EXPIRED, FAILED, UNCONFIRMED}) | REPORTED,
    REFUNDED: REPORTED | {UNCONFIRMED},
}

# Submissions
CLAIMED = "claimed"
SUBMITTING = "submitting"
RECORDED = "recorded"
LOST = "lost"

SUBMISSION_MOVES: Mapping[str, frozenset[str]] = {
    CLAIMED: frozenset({SUBMITTING, LOST}),
    SUBMITTING: frozenset({RECORDED, LOST}),
    # A late answer is still evidence.
    LOST: frozenset({RECORDED}),
}
OPEN_SUBMISSIONS = frozenset({CLAIMED, SUBMITTING})

# Campaigns
SCHEDULED = "scheduled"
REPORTING = "reporting"
PAUSED = "paused"
COMPLETED = "completed"

CAMPAIGN_STATES = (SCHEDULED, QUEUED, SENDING, REPORTING, PAUSED, COMPLETED, CANCELLED)

# Reports
NEW = "new"
APPLIED = "applied"
IGNORED = "ignored"
PARKED = "parked"
UNMATCHED = "unmatched"

REPORT_STATES = (NEW, APPLIED, IGNORED, PARKED, UNMATCHED)
