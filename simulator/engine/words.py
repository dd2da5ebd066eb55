"""The words of the wire: report states, refusal codes and what a client may do about each."""

from __future__ import annotations

ACCEPTED = "accepted"

DELIVERED = "delivered"
UNDELIVERED = "undelivered"
EXPIRED = "expired"
REJECTED = "rejected"
ENROUTE = "enroute"
UNKNOWN = "unknown"

#: The code that a report carries when its rule names none.
CODE_OF_STATE: dict[str, str] = {
    DELIVERED: "000",
    ENROUTE: "000",
    UNDELIVERED: "027",
    EXPIRED: "034",
    REJECTED: "069",
    UNKNOWN: "099",
}
#: What a report carries for a state that this table does not know.
CODE_OF_ANY_OTHER_STATE = "999"

FINAL_STATES = frozenset({DELIVERED, UNDELIVERED, EXPIRED, REJECTED})

#: Refusals that a later try may overcome.
TEMPORARY_CODES = frozenset({"throttled", "queue_full", "temporary_failure"})
#: Refusals of this message for good.
PERMANENT_CODES = frozenset(
    {"invalid_number", "unknown_sender", "blocked", "content_rejected", "unroutable"}
)
#: Refusals of the account: nothing more is taken until a person acts.
STOPPED_CODES = frozenset({"out_of_credit", "sender_not_registered", "account_suspended"})

DETAIL_OF_CODE: dict[str, str] = {
    "throttled": "over the rate of this account, try again later",
    "queue_full": "the queue is full, try again later",
    "temporary_failure": "temporary failure, try again later",
    "invalid_number": "not a number that we can send to",
    "unknown_sender": "this sender does not exist",
    "blocked": "this number does not take messages from this account",
    "content_rejected": "the text was rejected by the content filter",
    "unroutable": "no route to this network",
    "out_of_credit": "the account has no credit left",
    "sender_not_registered": "the sender is not registered for this account",
    "account_suspended": "the account is suspended",
    "invalid_key": "wrong credentials",
    "invalid_request": "the request was not understood",
}

#: HTTP status of a refusal of the whole request, where a rule gives only its code.
STATUS_OF_CODE: dict[str, int] = {
    "invalid_request": 400,
    "invalid_key": 401,
    "out_of_credit": 402,
    "account_suspended": 403,
    "too_large": 413,
    "throttled": 429,
    "queue_full": 503,
    "temporary_failure": 503,
}
