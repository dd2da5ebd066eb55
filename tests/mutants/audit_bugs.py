"""Each check of the audit, made blind: its planted corruption is not found."""

from __future__ import annotations

from tests.mutants.bug import Bug

AUDIT = "tests/services/test_audit.py::test_a_planted_corruption_is_found_by_its_check"

#: Check -> (its queries as written, a corruption that it alone must find).
CHECKS = {
    "wallet = its entries": ("(ledger.WALLET_SUM,)", "a_balance_is_changed_past_the_ledger"),
    "wallet within its limit": (
        "(ledger.WALLET_LIMIT,)",
        "a_credit_limit_is_cut_below_what_is_used",
    ),
    "ledger chain without a gap": (
        "(ledger.CHAIN, ledger.OWED_CHAIN, ledger.CHAIN_END)",
        "the_end_of_the_chain_is_missing",
    ),
    "capture chain without a gap": (
        "(ledger.CAPTURE_CHAIN, ledger.CAPTURE_CHAIN_END)",
        "the_last_capture_is_missing",
    ),
    "entries fit their hold": ("(ledger.ENTRIES_FIT,)", "a_top_up_belongs_to_a_hold"),
    "one movement per key": ("(ledger.ONCE_PER_KEY,)", "a_key_is_used_twice"),
    "hold = its entries": ("(holds.LEDGER_SUM,)", "a_capture_is_written_twice"),
    "hold = units x price of its rows": ("(holds.PRICE_SUM,)", "a_price_changes_after_acceptance"),
    "hold settled = its rows": (
        "(holds.ROWS_SUM,)",
        "a_row_is_paid_for_while_it_is_still_held",
    ),
    "open hold = open rows": ("(holds.OPEN_ROWS,)", "a_finished_hold_is_open"),
    "no hold beyond its time": ("(holds.TOO_OLD,)", "a_hold_is_never_settled"),
    "cost = units x price": ("(rows.COST,)", "a_refused_row_has_a_cost"),
    "charge fits status": ("(rows.CHARGE,)", "a_delivered_row_is_still_held"),
    "no refund above capture": ("(rows.REFUND, rows.HOLD_REFUND)", "a_refund_is_paid_twice"),
    "refund = its message's": ("(rows.REFUND_ROW,)", "a_refund_was_never_paid"),
    "accepted = paid for": ("(rows.PAID_FOR,)", "a_queued_row_was_taken_by_the_carrier"),
    "captured = accepted": ("(rows.CAPTURED_FOR,)", "a_captured_row_was_never_asked_for"),
    "done = final": ("(rows.DONE,)", "a_delivered_row_is_not_done"),
    "every row's parents exist": (
        "(rows.PARENTS, rows.ATTEMPT_PARENTS)",
        "an_attempt_has_no_message",
    ),
    "campaign cost = its rows": (
        "(campaigns.COST, campaigns.PAID_BY_ITS_OWN)",
        "a_hold_pays_for_another_campaign",
    ),
    "campaign counters = its rows": (
        "(campaigns.COUNTERS,)",
        "a_counter_counts_what_is_not_there",
    ),
    "run counters = its rows": (
        "(campaigns.RUN_COUNTERS, campaigns.NO_RUN)",
        "a_run_has_more_work_than_rows",
    ),
    "one currency": ("(campaigns.CURRENCY,)", "a_campaign_is_in_another_currency"),
    "one organisation, test or live": (
        "(*campaigns.FOREIGN, campaigns.TWINS)",
        "a_row_belongs_to_the_test_twin",
    ),
    "one campaign per reference and key": (
        "campaigns.ONCE",
        "two_campaigns_have_one_reference",
    ),
    "requests own their rows": (
        "(requests.SENDING, requests.OWNED, requests.ABANDONED)",
        "an_open_request_has_lost_a_row",
    ),
}

BUGS = tuple(
    Bug(
        f"the audit no longer asks: {check}",
        "bulksms/services/audit/__init__.py",
        f'"{check}": {queries},',
        f'"{check}": (),',
        f"{AUDIT}[{corruption}]",
    )
    for check, (queries, corruption) in CHECKS.items()
)
