"""Magic numbers: the last three digits choose a scripted life.

Only numbers of the documented blocks are magic (`BLOCKS`, one per region); they come before all
rules, and a rules document with `magic = "off"` makes them ordinary numbers. The constants below
are Kenya's; `number_in("UG", DELIVERED)` gives the same life in another region.
"""

from __future__ import annotations

from typing import Any

#: Region to the digits before the last three.
BLOCKS: dict[str, str] = {"KE": "254700000", "UG": "256700000", "TZ": "255740000"}
_HOME = BLOCKS["KE"]

# Accepted; what the reports say.
DELIVERED = _HOME + "000"
UNDELIVERED = _HOME + "001"
EXPIRED = _HOME + "002"
REJECTED = _HOME + "003"
UNKNOWN_STATE = _HOME + "004"
NO_REPORT = _HOME + "005"
LATE_REPORT = _HOME + "006"
DUPLICATE_REPORTS = _HOME + "007"
ENROUTE_FIRST = _HOME + "008"
OUT_OF_ORDER_REPORTS = _HOME + "009"
REPORT_BEFORE_ANSWER = _HOME + "010"
REPORT_FOR_UNKNOWN_ID = _HOME + "011"
SECOND_PART_FAILS = _HOME + "012"
EXPIRES_AT_VALIDITY = _HOME + "013"
FOREIGN_STATE = _HOME + "014"
REPORT_WITHOUT_CODE = _HOME + "015"
DECIMAL_IDS = _HOME + "016"
MIXED_ID_FORMS = _HOME + "017"

# Refused for good.
INVALID_NUMBER = _HOME + "100"
UNKNOWN_SENDER = _HOME + "101"
BLOCKED = _HOME + "102"
CONTENT_REJECTED = _HOME + "103"
UNROUTABLE = _HOME + "104"
REFUSED_BUT_DELIVERED = _HOME + "105"

# Refused for now: once, three times, always.
THROTTLED_ONCE = _HOME + "200"
QUEUE_FULL_ONCE = _HOME + "201"
TEMPORARY_FAILURE_ONCE = _HOME + "202"
TEMPORARY_FAILURE_THRICE = _HOME + "203"
TEMPORARY_FAILURE_ALWAYS = _HOME + "204"

# Our account with the carrier.
OUT_OF_CREDIT = _HOME + "300"
SENDER_NOT_REGISTERED = _HOME + "301"
ACCOUNT_SUSPENDED = _HOME + "302"

# The whole request that holds one of these.
ANSWER_RESET = _HOME + "400"
ANSWER_CLOSED = _HOME + "401"
ANSWER_SILENT = _HOME + "402"
ANSWER_502 = _HOME + "403"
REQUEST_RESET = _HOME + "404"
REQUEST_RESET_ONCE = _HOME + "405"
PROCESSED_LATE = _HOME + "406"
ANSWER_NOT_JSON = _HOME + "407"
SLOW_ANSWER = _HOME + "408"

# The handset writes back.
REPLIES_STOP = _HOME + "500"
REPLIES_START = _HOME + "501"
REPLIES_HELP = _HOME + "502"

#: Number to the knobs of its life. A number of the block that is not here is simply delivered.
LIVES: dict[str, dict[str, Any]] = {
    DELIVERED: {"report": "delivered"},
    UNDELIVERED: {"report": "undelivered"},
    EXPIRED: {"report": "expired"},
    REJECTED: {"report": "rejected"},
    UNKNOWN_STATE: {"report": "unknown"},
    NO_REPORT: {"report": False},
    LATE_REPORT: {"report": {"state": "delivered", "delay_s": 72 * 3600}},
    DUPLICATE_REPORTS: {"report": {"state": "delivered", "copies": 3, "gap_s": 1}},
    ENROUTE_FIRST: {"report": ["enroute", {"state": "delivered", "delay_s": 5}]},
    OUT_OF_ORDER_REPORTS: {
        "report": [{"state": "delivered", "delay_s": 1}, {"state": "enroute", "delay_s": 3}]
    },
    REPORT_BEFORE_ANSWER: {"report": {"state": "delivered", "before_answer": True}},
    REPORT_FOR_UNKNOWN_ID: {"report": ["delivered", {"state": "delivered", "id": "unknown"}]},
    SECOND_PART_FAILS: {"report": {"parts": ["delivered", "undelivered", "delivered"]}},
    EXPIRES_AT_VALIDITY: {"report": {"state": "expired", "delay_s": "validity"}},
    FOREIGN_STATE: {"report": {"state": "lost_in_space", "code": "ZZ"}},
    REPORT_WITHOUT_CODE: {"report": {"state": "delivered", "omit": ["code", "at"]}},
    DECIMAL_IDS: {"report": "delivered", "id_form": "decimal"},
    MIXED_ID_FORMS: {"report": "delivered", "id_form": {"answer": "hex", "report": "padded"}},
    INVALID_NUMBER: {"refuse": "invalid_number"},
    UNKNOWN_SENDER: {"refuse": "unknown_sender"},
    BLOCKED: {"refuse": "blocked"},
    CONTENT_REJECTED: {"refuse": "content_rejected"},
    UNROUTABLE: {"refuse": "unroutable"},
    REFUSED_BUT_DELIVERED: {"refuse": {"code": "blocked", "report": "delivered"}},
    THROTTLED_ONCE: {"refuse": {"code": "throttled", "tries": 1}},
    QUEUE_FULL_ONCE: {"refuse": {"code": "queue_full", "tries": 1}},
    TEMPORARY_FAILURE_ONCE: {"refuse": {"code": "temporary_failure", "tries": 1}},
    TEMPORARY_FAILURE_THRICE: {"refuse": {"code": "temporary_failure", "tries": 3}},
    TEMPORARY_FAILURE_ALWAYS: {"refuse": {"code": "temporary_failure", "tries": 1000}},
    OUT_OF_CREDIT: {"refuse": "out_of_credit"},
    SENDER_NOT_REGISTERED: {"refuse": "sender_not_registered"},
    ACCOUNT_SUSPENDED: {"refuse": "account_suspended"},
    ANSWER_RESET: {"lose_answer": "reset"},
    ANSWER_CLOSED: {"lose_answer": "close"},
    ANSWER_SILENT: {"lose_answer": "silence"},
    ANSWER_502: {"lose_answer": 502},
    REQUEST_RESET: {"lose_request": "reset"},
    REQUEST_RESET_ONCE: {"lose_request": {"how": "reset", "tries": 1}},
    PROCESSED_LATE: {"process_late": 30},
    ANSWER_NOT_JSON: {"body": "html"},
    SLOW_ANSWER: {"latency": 3},
    REPLIES_STOP: {"reply": "STOP"},
    REPLIES_START: {"reply": "start"},
    REPLIES_HELP: {"reply": "Help"},
}


def number_in(region: str, number: str) -> str:
    """Return the number with the same life in another region's block."""
    return BLOCKS[region] + number[-3:]


def life_names() -> dict[str, str]:
    """Return number to constant name (`254700000001`: `UNDELIVERED`)."""
    named = {value: name for name, value in globals().items() if isinstance(value, str)}
    return {number: named[number] for number in LIVES}
