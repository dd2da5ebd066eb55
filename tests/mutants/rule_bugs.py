"""Bugs in the pure rules: states, segments, numbers, what an answer proves, fairness and pace."""

from __future__ import annotations

from tests.mutants.bug import Bug

STATES = "tests/test_states.py::test_the_page_has_the_same_moves_as_the_table"
SEGMENTS = "tests/sms/test_segments.py"
NUMBERS = "tests/sms/test_numbers.py"
PROOF = "tests/carriers/test_proof.py"
PACING = "tests/flows/test_pacing.py"
FAIRNESS = "tests/flows/test_fairness.py"

HTTP = "bulksms/carriers/http.py"
AFRICASTALKING = "bulksms/carriers/africastalking.py"
TRANSPORT = "bulksms/carriers/transport.py"

BUGS = (
    Bug(
        "queued may be sent without being asked for",
        "bulksms/states.py",
        "    QUEUED: frozenset({SENDING, CANCELLED, EXPIRED, FAILED}),",
        "    QUEUED: frozenset({SENDING, CANCELLED, EXPIRED, FAILED, SENT}),",
        STATES,
    ),
    Bug(
        "sending cannot become unknown",
        "bulksms/states.py",
        "    SENDING: frozenset({SENT, QUEUED, FAILED, UNKNOWN}),",
        "    SENDING: frozenset({SENT, QUEUED, FAILED}),",
        "tests/services/test_dispatch.py::"
        "test_a_lost_answer_makes_the_messages_unknown_and_their_reports_end_it",
    ),
    Bug(
        "sent may go back to the queue",
        "bulksms/states.py",
        "    SENT: REPORTED | {UNCONFIRMED},",
        "    SENT: REPORTED | {UNCONFIRMED, QUEUED},",
        STATES,
    ),
    Bug(
        "unknown cannot be found absent",
        "bulksms/states.py",
        "    UNKNOWN: REPORTED | {SENT, FAILED, UNCONFIRMED, QUEUED},",
        "    UNKNOWN: REPORTED | {SENT, FAILED, UNCONFIRMED},",
        "tests/services/test_resolving.py::"
        "test_a_lost_request_is_proved_not_accepted_by_two_queries_and_then_sent_once",
    ),
    Bug(
        "what may have arrived is retried by its state",
        "bulksms/states.py",
        "RETRYABLE = frozenset({SKIPPED, FAILED, UNDELIVERED, EXPIRED, REJECTED})",
        "RETRYABLE = frozenset({SKIPPED, FAILED, UNDELIVERED, EXPIRED, REJECTED, UNCONFIRMED})",
        "tests/services/test_retrying.py::test_an_unconfirmed_message_needs_its_id_and_a_word",
    ),
    Bug(
        "what is unconfirmed is free",
        "bulksms/states.py",
        "    return accepts(old, new) or new == UNCONFIRMED",
        "    return accepts(old, new)",
        "tests/test_states.py::test_expiring_in_our_own_queue_is_no_evidence_of_acceptance",
    ),
    Bug(
        "any late word ends a retry",
        "bulksms/services/reports.py",
        "for m in old if m.report.state == states.DELIVERED and",
        "for m in old if m.report.state in states.REPORTED and",
        "tests/services/test_retrying.py::"
        "test_another_late_word_than_delivered_does_not_end_a_retry",
    ),
    # Segments
    Bug(
        "parts of a long text have the room of a single one",
        "bulksms/sms/segments.py",
        "GSM7_SINGLE, GSM7_PART = 160, 153",
        "GSM7_SINGLE, GSM7_PART = 160, 160",
        SEGMENTS,
    ),
    Bug(
        "Unicode is counted as 70 in each part",
        "bulksms/sms/segments.py",
        "UCS2_SINGLE, UCS2_PART = 70, 67",
        "UCS2_SINGLE, UCS2_PART = 70, 70",
        SEGMENTS,
    ),
    Bug(
        "160 characters are two parts",
        "bulksms/sms/segments.py",
        "    if width <= single:\n        return encoding, 1",
        "    if width < single:\n        return encoding, 1",
        SEGMENTS,
    ),
    Bug(
        "an escape is parted from its code",
        "bulksms/sms/segments.py",
        "            over -= 2 if wide.match(text, end) else 1",
        "            over -= 2",
        SEGMENTS,
    ),
    Bug(
        "an empty text is free",
        "bulksms/sms/segments.py",
        '    if len(text) <= GSM7_SINGLE and is_basic(text):\n        return "gsm7", 1',
        "    if len(text) <= GSM7_SINGLE and is_basic(text):\n"
        '        return "gsm7", min(len(text), 1)',
        SEGMENTS,
    ),
    # Numbers
    Bug(
        "a landline takes SMS",
        "bulksms/sms/numbers.py",
        "_TAKES_SMS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)",
        "_TAKES_SMS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE,"
        " PhoneNumberType.FIXED_LINE)",
        NUMBERS,
    ),
    Bug(
        "the mask shows the number",
        "bulksms/sms/numbers.py",
        'return f"+{digits[: min(4, len(digits) - 7)]}••••{digits[-3:]}"',
        'return f"+{digits[: min(4, len(digits) - 7)]}••••{digits[-7:]}"',
        NUMBERS,
    ),
    Bug(
        "a foreign number is read as a local one",
        "bulksms/sms/numbers.py",
        "    return second if _is_certain(second) else first",
        "    return first",
        NUMBERS,
    ),
    Bug(
        "a million characters are read",
        "bulksms/sms/numbers.py",
        "    if len(raw) > written.MAX_CHARACTERS:",
        "    if len(raw) > 10**9:",
        NUMBERS,
    ),
    # What an answer proves
    Bug(
        "no connection proves nothing",
        TRANSPORT,
        '"refused", code="no_connection", detail=str(error)[:200], temporary=True',
        '"unknown", code="no_connection", detail=str(error)[:200]',
        PROOF,
    ),
    Bug(
        "asked after the deadline",
        TRANSPORT,
        "    if timeout_s <= 0:",
        "    if timeout_s <= -10:",
        PROOF,
    ),
    Bug(
        "blocked is temporary",
        HTTP,
        'SAFE = frozenset({"throttled", "queue_full", "temporary_failure"})',
        'SAFE = frozenset({"throttled", "queue_full", "temporary_failure", "invalid_number"})',
        PROOF,
    ),
    Bug(
        "any 503 with a code is proof",
        HTTP,
        '(429, "throttled"), (503, "queue_full"), (503, "temporary_failure"),',
        '(429, "throttled"), (503, "queue_full"), (503, "temporary_failure"), (503, "throttled"),',
        PROOF,
    ),
    Bug(
        "our empty account fails messages",
        HTTP,
        'STOPS = frozenset({"out_of_credit", "account_suspended", "invalid_key"})',
        'STOPS = frozenset({"account_suspended", "invalid_key"})',
        PROOF,
    ),
    Bug(
        "a page of HTML is a refusal",
        HTTP,
        "    if answer.status in NOT_UNDERSTOOD and code:",
        "    if answer.status in {*NOT_UNDERSTOOD, 404}:",
        PROOF,
    ),
    Bug(
        "of two contradicting rows the first one counts",
        "bulksms/carriers/base.py",
        'found[key] = SubmitResult("unknown", carrier_ref=known_as, code="contradictory_answer")',
        "found[key] = before",
        PROOF,
    ),
    Bug(
        "Africa's Talking's 500 is a refusal",
        AFRICASTALKING,
        '500: Status("InternalServerError", "unknown", "internal_server_error"),',
        '500: Status("InternalServerError", "refused", "internal_server_error"),',
        PROOF,
    ),
    Bug(
        "Africa's Talking's empty account fails messages",
        AFRICASTALKING,
        '405: Status("InsufficientBalance", "stopped", "out_of_credit"),',
        '405: Status("InsufficientBalance", "refused", "out_of_credit"),',
        PROOF,
    ),
    # Pace and fairness
    Bug(
        "the pace counts messages, not parts",
        "bulksms/services/pacing.py",
        "state.allowance_micro_parts -= parts * MICRO",
        "state.allowance_micro_parts -= rows * MICRO",
        PACING,
    ),
    Bug(
        "an idle carrier gathers without end",
        "bulksms/services/pacing.py",
        "state.allowance_micro_parts = min(state.allowance_micro_parts + gained, most)",
        "state.allowance_micro_parts += gained",
        f"{PACING}::test_an_idle_carrier_gathers_no_more_than_its_burst",
    ),
    Bug(
        "whoever finds the pace used up plans one more nudge",
        "bulksms/services/pacing.py",
        "    if state.waking_at is not None and state.waking_at > now:",
        "    if state.waking_at is not None and state.waking_at > now and wait_s:",
        f"{PACING}::test_whoever_finds_the_pace_used_up_plans_one_nudge_and_not_many",
    ),
    Bug(
        "who comes back from idle has a credit",
        "bulksms/services/choosing.py",
        "CASE WHEN s.served_parts > %s THEN s.served_parts ELSE %s END AS start_parts",
        "CASE WHEN %s + %s < 0 THEN 0 ELSE coalesce(s.served_parts, 0) END AS start_parts",
        f"{FAIRNESS}::test_who_comes_back_from_idle_starts_with_the_others_and_not_with_a_credit",
    ),
    Bug(
        "urgent messages starve the others",
        "bulksms/services/choosing.py",
        "    if state.high_in_a_row >= HIGH_IN_A_ROW and found.get(NORMAL):",
        "    if state.high_in_a_row > HIGH_IN_A_ROW and found.get(NORMAL):",
        f"{FAIRNESS}::test_normal_keeps_a_tenth_of_the_carrier_however_much_is_urgent",
    ),
)
