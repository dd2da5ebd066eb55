"""Bugs in the engine: dispatch, control, retries, the tick; some are left to the soak to find."""

from __future__ import annotations

from tests.mutants.bug import Bug

CONTROL = "tests/services/test_control.py"
RETRYING = "tests/services/test_retrying.py"
STOPS = "tests/services/test_stops.py"
SOAK = "tests/soak/test_soak.py"
DAYS = f"{SOAK}::test_nothing_breaks_on_bad_days_drawn_by_seed"
MEETING = (
    "tests/interleaving/test_interleaving.py::"
    "test_no_interleaving_with_one_preemption_breaks_anything"
)

BUGS = (
    Bug(
        "an unknown message is asked for again",
        "bulksms/services/dispatch.py",
        "            row.id, states.UNKNOWN, error=error, error_detail=detail, asked_at=asked_at,",
        "            row.id, states.QUEUED, due_at=now, error=error, asked_at=asked_at,",
        "tests/services/test_dispatch.py::"
        "test_a_lost_answer_makes_the_messages_unknown_and_their_reports_end_it",
    ),
    Bug(
        "a late answer moves rows of another request",
        "bulksms/services/settlement.py",
        "ours = submission_id is None or row.submission_id == submission_id",
        "ours = True",
        "tests/crash/test_crash.py",
    ),
    Bug(
        "a pause does not reach the runs",
        "bulksms/services/control.py",
        "    Run.objects.filter(campaign=campaign).update(is_paused=paused)",
        "    Run.objects.filter(campaign=campaign, queued_count=0).update(is_paused=paused)",
        f"{CONTROL}::test_a_paused_campaign_is_not_asked_for_until_it_is_resumed",
    ),
    Bug(
        "what comes back to a cancelled campaign is sent",
        "bulksms/services/control.py",
        "    left = Campaign.objects.filter(cancelled_at__isnull=False, queued_count__gt=0)",
        "    left = Campaign.objects.filter(cancelled_at__isnull=True, queued_count__gt=0)",
        f"{CONTROL}::test_a_row_that_comes_back_to_a_cancelled_campaign_is_cancelled_too",
    ),
    Bug(
        "a pause revives what is being cancelled",
        "bulksms/services/control.py",
        "    if campaign.cancelled_at is not None and campaign.finished_at is None:",
        "    if campaign.cancelled_at is not None and campaign.finished_at is not None:",
        f"{SOAK}::test_what_once_broke[a_pause_revives_what_is_being_cancelled]",
    ),
    Bug(
        "a rescheduled campaign leaves at its old time",
        "bulksms/services/control.py",
        "        Run.objects.filter(campaign=campaign).update(due_at=scheduled_at)",
        "        Run.objects.filter(campaign=campaign).update(due_at=now)",
        f"{CONTROL}::test_a_scheduled_campaign_leaves_at_its_new_time",
    ),
    Bug(
        "a retry charges yesterday's price",
        "bulksms/services/retrying.py",
        "draft.id, draft.number, states.QUEUED, draft.carrier, draft.units, draft.price_micros,",
        "draft.id, draft.number, states.QUEUED, draft.carrier, draft.units,"
        " draft.price_micros + 1,",
        f"{RETRYING}::test_the_price_of_a_retry_is_todays",
    ),
    Bug(
        "a retry forgets the first attempt",
        "bulksms/services/retrying.py",
        "    attempts.replace([m.id for _, m in funded if m.hold_id], now, take_over_hold=False)",
        "    attempts.replace([m.id for _, m in funded if not m.id], now, take_over_hold=False)",
        f"{RETRYING}::test_each_attempt_is_charged_once_and_the_first_is_kept",
    ),
    Bug(
        "a retry spends what is not there",
        "bulksms/services/retrying.py",
        "    plan = wallet.plan(costs, wallet.spendable(purse), wallet.cap_left(purse, now))",
        "    plan = wallet.plan(costs, None, wallet.cap_left(purse, now))",
        f"{RETRYING}::test_a_retry_that_the_money_stops_leaves_the_others_as_they_were",
    ),
    Bug(
        "a dry run is none",
        "bulksms/services/retrying.py",
        "        if dry_run:\n",
        "        if dry_run is None:\n",
        f"{RETRYING}::test_a_dry_run_tells_the_cost_and_changes_nothing",
    ),
    Bug(
        "an invalid number is retried",
        "bulksms/reasons.py",
        'NEVER_RETRIED = frozenset({"invalid_recipient"})',
        'NEVER_RETRIED = frozenset({"no_such_error"})',
        f"{RETRYING}::"
        "test_an_invalid_number_is_never_retried_and_a_suppressed_one_is_refused_again",
    ),
    Bug(
        "a stopped carrier is asked",
        "bulksms/services/stops.py",
        "        Q(carrier=carrier) | Q(carrier=EVERYTHING), paused_at__isnull=False",
        "        Q(carrier=carrier) & Q(carrier=EVERYTHING), paused_at__isnull=False",
        f"{STOPS}::test_everything_stopped_refuses_new_requests_and_holds_back_queued_ones",
    ),
    Bug(
        "a stopped organisation goes on",
        "bulksms/services/choosing.py",
        "ON o.id = r.organisation_id AND o.is_active",
        "ON o.id = r.organisation_id",
        f"{STOPS}::test_a_stopped_organisation_waits_and_others_go_on",
    ),
    Bug(
        "the cap of the day is that of UTC",
        "bulksms/services/wallet.py",
        "    zone = ZoneInfo(time_zone)",
        '    zone = ZoneInfo("UTC" if time_zone else time_zone)',
        "tests/services/test_wallet.py",
    ),
    Bug(
        "a query proves something at once",
        "bulksms/services/dispatch.py",
        "    return closed_at + dt.timedelta(seconds=carrier.query_settles_after_s)",
        "    return closed_at",
        "tests/services/test_resolving.py",
    ),
    Bug(
        "a resend keeps its reference",
        "bulksms/services/attempts.py",
        "SET attempt = attempt + 1, carrier_ref = ''",
        "SET attempt = attempt, carrier_ref = ''",
        "tests/services/test_resolving.py::"
        "test_a_resend_is_a_new_attempt_with_a_reference_of_its_own",
    ),
    # Left to the soak
    Bug(
        "a report for an old attempt ends the new one",
        "bulksms/services/matching.py",
        "        return self.attempt < self.current",
        "        return self.attempt < self.current - 1",
        f"{RETRYING}::test_delivered_after_all_moves_nothing_once_the_retry_was_sent",
    ),
    Bug(
        "the pace forgets what is in the request already",
        "bulksms/services/fitting.py",
        "bool(kept) and parts + row.units > room",
        "bool(kept) and row.units > room",
        "tests/flows/test_pacing.py",
    ),
    Bug(
        "money is held for one row less",
        "bulksms/services/accepted.py",
        "        hold = wallet.reserve(purse, campaign, total)",
        "        hold = wallet.reserve(purse, campaign, max(total - 1, 0))",
        DAYS,
    ),
    Bug(
        "sent_count counts what was asked for",
        "bulksms/services/settlement.py",
        "    return not row.was_sent and (",
        "    return (",
        DAYS,
    ),
    # Left to the interleavings
    Bug(
        "two requests read one balance",
        "bulksms/services/ledger.py",
        "            return Wallet.objects.select_for_update(no_key=True).get("
        "organisation=organisation)",
        "            return Wallet.objects.get(organisation=organisation)",
        f"{MEETING}[hold and hold]",
    ),
    Bug(
        "two workers choose for one carrier at once",
        "bulksms/services/pacing.py",
        "    rows = CarrierState.objects.select_for_update()",
        "    rows = CarrierState.objects.all()",
        "tests/interleaving/runs.py::test_no_interleaving_breaks_anything[claim and claim]",
    ),
)
