"""The bugs: what is right, what is wrong, and the test that must notice."""

from __future__ import annotations

from tests.mutants import audit_bugs, engine_bugs, rule_bugs
from tests.mutants.bug import Bug

DISPATCH = "tests/services/test_dispatch.py"
SENDING = "tests/services/test_sending.py"
OPTIONS = "tests/services/test_sending_options.py"
WALLET = "tests/services/test_wallet.py"
REGRESSIONS = "tests/services/test_regressions.py"
OUTBOX = "tests/api/outbox"

OLDER = (
    Bug(
        "an expiry in our queue is captured",
        "bulksms/states.py",
        "return old != QUEUED and (new == SENT or new in REPORTED)",
        "return new == SENT or new in REPORTED",
        f"{DISPATCH}::test_queued_messages_expire_unsent_and_their_money_comes_back",
    ),
    Bug(
        "a price of exactly the balance is refused",
        "bulksms/services/wallet.py",
        "if left is not None and cost > left:",
        "if left is not None and cost >= left:",
        f"{SENDING}::test_a_balance_that_equals_the_price_is_enough_and_one_micro_less_is_not",
    ),
    Bug(
        "after the money ends a cheaper one is still sent",
        "bulksms/services/affording.py",
        "    for draft in drafts[at + 1 :]:\n        draft.refuse(",
        "    for draft in drafts[at + 2 :]:\n        draft.refuse(",
        f"{SENDING}::"
        "test_from_the_first_unaffordable_recipient_on_all_are_skipped_even_cheap_and_invalid",
    ),
    Bug(
        "a number without a rate is free",
        "bulksms/services/intake.py",
        "        if price is None:",
        "        if price is False:",
        f"{SENDING}::test_a_number_without_a_rate_is_refused_and_never_free",
    ),
    Bug(
        "begin does not look at the lease",
        "bulksms/services/dispatch.py",
        "status=states.CLAIMED, lease_until__gt=now",
        "status=states.CLAIMED",
        f"{DISPATCH}::test_nothing_is_begun_once_the_lease_is_over_even_before_the_tick_saw_it",
    ),
    Bug(
        "a lost answer goes back to the queue",
        "bulksms/carriers/transport.py",
        'return SubmitResult("unknown", code="no_answer"',
        'return SubmitResult("refused", temporary=True, code="no_answer"',
        f"{DISPATCH}::test_a_lost_answer_makes_the_messages_unknown_and_their_reports_end_it",
    ),
    Bug(
        "a row that is missing in the answer counts as accepted",
        "bulksms/services/dispatch.py",
        'MISSING = SubmitResult("unknown", code="missing_in_answer")',
        'MISSING = SubmitResult("accepted")',
        f"{DISPATCH}::test_a_row_missing_in_the_answer_is_unknown_and_an_extra_one_is_ignored",
    ),
    Bug(
        "a final state goes back",
        "bulksms/states.py",
        "    UNCONFIRMED: REPORTED,",
        "    UNCONFIRMED: REPORTED,\n    DELIVERED: REPORTED,",
        "tests/test_states.py::test_nothing_leaves_a_final_state_but_unconfirmed",
    ),
    Bug(
        "a report moves a row that is being asked for",
        "bulksms/services/reports.py",
        "MAY_MOVE = frozenset({states.SENT, ",
        "MAY_MOVE = frozenset({states.SENDING, states.SENT, ",
        f"{REGRESSIONS}::test_a_report_on_its_way_that_comes_early_waits_for_the_recording",
    ),
    Bug(
        "a decision on an old list moves a row in flight",
        "bulksms/services/resolving.py",
        "only_from=frozenset({states.UNKNOWN}),",
        "",
        f"{REGRESSIONS}::test_a_decision_made_on_an_old_list_moves_no_row_that_is_being_asked_for",
    ),
    Bug(
        "a refused message keeps its money",
        "bulksms/services/settlement.py",
        "        elif move.status in states.FINAL:\n            ended.append(row)",
        "        elif move.status in ():\n            ended.append(row)",
        f"{DISPATCH}::test_a_refusal_for_good_fails_the_message_and_releases_its_money",
    ),
    Bug(
        "any move is allowed",
        "bulksms/services/settlement.py",
        "if ours and _fits(row, move):",
        "if ours:",
        f"{DISPATCH}::test_reports_out_of_order_never_take_a_final_state_back",
    ),
    Bug(
        "one query is proof enough",
        "bulksms/services/resolving.py",
        "            if str(row.id) in absent_before",
        "            if True",
        "tests/services/test_resolving.py::test_one_query_that_knows_nothing_is_no_proof",
    ),
    Bug(
        "an early report is thrown away",
        "bulksms/services/reports.py",
        'ended[match.report.id] = (states.PARKED, "not_recorded_yet")',
        'ended[match.report.id] = (states.IGNORED, "not_recorded_yet")',
        f"{DISPATCH}::test_a_report_taken_up_before_the_recording_is_handed_over_by_it",
    ),
    Bug(
        "more requests than the window",
        "bulksms/services/claiming.py",
        "for slot in range(1, carrier.window + 1) if slot not in taken",
        "for slot in range(1, carrier.window + 9) if slot not in taken",
        "tests/soak/test_regressions.py::test_urgent_requests_too_are_no_more_than_the_window",
    ),
    Bug(
        "the same idempotency key sends twice",
        "bulksms/services/sending.py",
        "            if first is not None:\n                return replay(first)",
        "            if first is None and False:\n                return replay(first)",
        f"{OPTIONS}::test_the_same_key_is_the_same_request_once",
    ),
    Bug(
        "a suppressed number is texted",
        "bulksms/services/claiming.py",
        "        if (row.organisation_id, row.number) in listed:",
        "        if (row.number, row.organisation_id) in listed:",
        "tests/services/test_stops.py::"
        "test_a_number_suppressed_after_acceptance_gets_nothing_and_its_money_comes_back",
    ),
    Bug(
        "a capture counts twice",
        "bulksms/services/holds.py",
        "[(hold, wanted[hold], 1) for hold, _, _ in holds]",
        "[(hold, 2 * wanted[hold], 1) for hold, _, _ in holds]",
        f"{WALLET}::test_a_campaign_is_held_captured_in_part_and_the_rest_comes_back",
    ),
    Bug(
        "captured at another price than the frozen one",
        "bulksms/services/settlement.py",
        "            captured[row.hold_id] += row.cost_micros",
        "            captured[row.hold_id] += row.cost_micros - 1",
        f"{DISPATCH}::test_a_campaign_is_sent_delivered_paid_and_completed",
    ),
    Bug(
        "a held wallet stops captures",
        "bulksms/services/ledger.py",
        "select_for_update(no_key=True).get(organisation=organisation)",
        "select_for_update().get(organisation=organisation)",
        f"{WALLET}::test_a_wallet_that_is_held_delays_no_capture_and_a_release_is_left_for_later",
    ),
    Bug(
        "a refund does not wait for a late delivered",
        "bulksms/services/refunds.py",
        "    due = now + WAIT",
        "    due = now",
        "tests/services/test_refunds.py::"
        "test_a_message_that_did_not_arrive_is_refunded_after_72_hours",
    ),
    Bug(
        "the ORM may rewrite the ledger",
        "bulksms/models/base.py",
        "    def update(self, **_: Any) -> NoReturn:",
        "    def update_(self, **_: Any) -> NoReturn:",
        f"{WALLET}::test_the_orm_never_changes_or_deletes_a_ledger_row",
    ),
    Bug(
        "SQL may rewrite the ledger",
        "bulksms/migrations/0002_ledger_is_append_only.py",
        "BEFORE UPDATE OR DELETE ON",
        "BEFORE TRUNCATE ON",
        f"{WALLET}::test_postgresql_refuses_to_rewrite_history",
    ),
    Bug(
        "the default rates win over the organisation's own",
        "bulksms/services/pricing.py",
        "for rates in (self.own, self.default):",
        "for rates in (self.default, self.own):",
        "tests/services/test_pricing.py::test_an_own_rate_wins_over_a_longer_default_prefix",
    ),
    Bug(
        "float money",
        "bulksms/money.py",
        "    if not isinstance(value, Decimal):",
        "    if isinstance(value, float):\n        return round(value * MICROS)\n"
        "    if not isinstance(value, Decimal):",
        "tests/sms/test_money.py",
    ),
    Bug(
        "a refunded message is shown as paid",
        "bulksms/services/entries.py",
        "return self.cost_micros - self.refunded_micros if self.charge == states.REFUNDED else 0",
        "return self.cost_micros if self.charge == states.REFUNDED else 0",
        f"{OUTBOX}/test_reading.py::test_units_and_cost_are_what_is_held_or_captured",
    ),
    Bug(
        "another body with the same messageId gets the first answer",
        "bulksms/services/labels.py",
        " or campaigns[0].request_sha256 != request_sha256",
        "",
        f"{OUTBOX}/test_send_bulk.py",
    ),
    Bug(
        "an array's duplicates are removed",
        "bulksms/services/intake.py",
        "keep_all=request.own is not None",
        "keep_all=False",
        f"{OUTBOX}/test_array.py::test_nothing_is_removed_as_a_duplicate",
    ),
    Bug(
        "an hour that the clocks skip is taken",
        "bulksms/api/outbox/times.py",
        "    if shown != moment:",
        "    if shown < moment:",
        f"{OUTBOX}/test_schedule.py::test_times_that_are_none",
    ),
    Bug(
        "an entry is found by anybody who has its id",
        "bulksms/services/entries.py",
        "values = Message.objects.filter(organisation=organisation, id=entry_id)",
        "values = Message.objects.filter(id=entry_id)",
        f"{OUTBOX}/test_isolation.py",
    ),
    Bug(
        "a fifth one waits too",
        "bulksms/api/outbox/waiting.py",
        "BoundedSemaphore(MAX_WAITERS)",
        "BoundedSemaphore(MAX_WAITERS + 1)",
        f"{OUTBOX}/test_waiting.py::test_with_four_waiting_the_fifth_is_answered_at_once",
    ),
    Bug(
        "a sensitive text goes while it may still be asked for",
        "bulksms/services/sensitive.py",
        '    "unknown_count": 0,\n',
        "",
        "tests/services/test_sensitive.py::test_what_may_still_be_asked_for_keeps_its_text",
    ),
    Bug(
        "an empty wallet fills the table",
        "bulksms/services/affording.py",
        "    _count_unfunded(purse, drafts, plan, now)\n",
        "",
        "tests/services/test_unfunded.py::"
        "test_the_limit_itself_is_stored_and_one_more_is_refused_whole",
    ),
)

#: All of them.
BUGS = (*OLDER, *rule_bugs.BUGS, *engine_bugs.BUGS, *audit_bugs.BUGS)
