"""Corruptions that the audit must find: each is a function that plants it and returns a row that
must be named. They are planted by SQL, past constraints and triggers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from bulksms import clock, db, ids, states
from bulksms.models import (
    Campaign,
    Hold,
    IdempotencyKey,
    LedgerEntry,
    Message,
    MessageAttempt,
    Refund,
    Run,
    Submission,
    Wallet,
)
from bulksms.models.wallet import AVAILABLE, FUNDING, HELD, OWED, SPENT
from bulksms.services import wallet
from tests.services.audit_world import PRICE, World, send


def without_rules() -> None:
    """Nothing of the database's own defence stands in the way; the test's rollback restores it."""
    if connection.vendor == "sqlite":
        db.execute("PRAGMA ignore_check_constraints = ON")
        sql = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE %s"
        for (name,) in db.fetch(sql, ["CREATE UNIQUE INDEX%bulksms_%"], (db.TEXT,)):
            db.execute(f"DROP INDEX {name}")
        return
    db.execute("SET CONSTRAINTS ALL IMMEDIATE")
    tables = "(SELECT oid FROM pg_class WHERE relname LIKE 'bulksms_%%' AND relkind = 'r')"
    for (table,) in db.fetch(f"SELECT t.oid::regclass::text FROM {tables} t", (), (db.TEXT,)):
        db.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    rules = (
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        f" WHERE conrelid IN {tables} AND contype IN ('c', 'u')"
    )
    for table, name in db.fetch(rules, (), (db.TEXT, db.TEXT)):
        db.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    indexes = (
        "SELECT indexrelid::regclass::text FROM pg_index"
        f" WHERE indrelid IN {tables} AND indisunique AND NOT indisprimary"
    )
    for (name,) in db.fetch(indexes, (), (db.TEXT,)):
        db.execute(f"DROP INDEX {name}")


def change(row: Any, **columns: Any) -> Any:
    """UPDATE one row by SQL; a value that is text in parentheses is an expression."""
    sets, params = [], []
    for name, value in columns.items():
        expression = isinstance(value, str) and value.startswith("(")
        sets.append(f"{name} = {value if expression else '%s'}")
        params += [] if expression else [value]
    sql = f"UPDATE {row._meta.db_table} SET {', '.join(sets)} WHERE id = %s"
    assert db.execute(sql, [*params, row.pk]) == 1
    return row


def row_of(campaign: UUID, **which: Any) -> Message:
    return Message.objects.filter(campaign=campaign, **which).earliest("id")


def hold_of(campaign: UUID, round_: int = 0) -> Hold:
    return Hold.objects.get(campaign=campaign, round=round_)


def capture_of(campaign: UUID) -> LedgerEntry:
    return LedgerEntry.objects.filter(hold__campaign=campaign, source=HELD, target=SPENT).latest(
        "hold_seq"
    )


def top_up_of(campaign: UUID) -> LedgerEntry:
    owner = Campaign.objects.get(id=campaign).organisation
    return LedgerEntry.objects.filter(wallet__organisation=owner, source=FUNDING).earliest("seq")


def parent(campaign: UUID) -> Campaign:
    return Campaign.objects.get(id=campaign)


@dataclass(frozen=True)
class Plant:
    """A corruption, the checks that must tell it (and no others), and the row they must name."""

    name: str
    checks: tuple[str, ...]
    plant: Callable[[World], Any]
    needs: str = ""


PLANTS: list[Plant] = []


def plant(*checks: str, needs: str = "") -> Callable[[Callable[[World], Any]], None]:
    def add(function: Callable[[World], Any]) -> None:
        PLANTS.append(Plant(function.__name__, checks, function, needs))

    return add


# Wallets and ledger


@plant("wallet = its entries")
def a_balance_is_changed_past_the_ledger(world: World) -> Any:
    return change(world.debtor, available_micros="(available_micros + 1)")


@plant("wallet = its entries")
def a_debt_is_forgotten(world: World) -> Any:
    return change(world.debtor, owed_micros="(owed_micros - 1)")


@plant("wallet within its limit")
def a_credit_limit_is_cut_below_what_is_used(world: World) -> Any:
    return change(wallet.of(world.creditor), credit_limit_micros=PRICE)


@plant("ledger chain without a gap")
def a_movement_is_missing_before_the_last_one(world: World) -> Any:
    purse = world.debtor
    last = LedgerEntry.objects.get(wallet=purse, seq=wallet_seq(purse))
    change(purse, last_seq="(last_seq + 1)")
    return change(last, seq="(seq + 1)")


def wallet_seq(purse: Wallet) -> int:
    return Wallet.objects.get(pk=purse.pk).last_seq


@plant("ledger chain without a gap")
def a_balance_after_is_wrong(world: World) -> Any:
    last = LedgerEntry.objects.get(wallet=world.debtor, seq=wallet_seq(world.debtor))
    return change(last, available_after_micros="(available_after_micros - 1)")


@plant("ledger chain without a gap")
def what_is_owed_after_a_payment_is_wrong(world: World) -> Any:
    paid = LedgerEntry.objects.filter(wallet=world.debtor, target=OWED).latest("seq")
    return change(paid, owed_after_micros="(owed_after_micros + 1)")


@plant("ledger chain without a gap")
def the_end_of_the_chain_is_missing(world: World) -> Any:
    return change(world.debtor, last_seq="(last_seq + 1)")


@plant("capture chain without a gap")
def a_capture_is_missing_before_the_last_one(world: World) -> Any:
    change(hold_of(world.ended), last_seq="(last_seq + 1)")
    return change(capture_of(world.ended), hold_seq="(hold_seq + 1)")


@plant("capture chain without a gap")
def the_last_capture_is_missing(world: World) -> Any:
    return change(hold_of(world.ended), last_seq="(last_seq + 1)")


@plant("entries fit their hold")
def a_capture_is_written_to_another_wallet(world: World) -> Any:
    return change(capture_of(world.ended), wallet_id=world.debtor.pk)


@plant("entries fit their hold")
def a_top_up_belongs_to_a_hold(world: World) -> Any:
    return change(top_up_of(world.ended), hold_id=hold_of(world.ended).pk)


@plant("entries fit their hold")
def money_comes_from_an_account_that_is_none(world: World) -> Any:
    return change(top_up_of(world.ended), source="sky")


@plant("entries fit their hold")
def a_reversal_forgets_its_top_up(world: World) -> Any:
    reversal = LedgerEntry.objects.get(wallet=world.debtor, source=AVAILABLE, target=FUNDING)
    return change(reversal, reverses_id=None)


@plant("entries fit their hold")
def a_reversal_takes_back_another_amount(world: World) -> Any:
    reversal = LedgerEntry.objects.get(wallet=world.debtor, source=AVAILABLE, target=FUNDING)
    other = LedgerEntry.objects.get(wallet=world.debtor, key__contains="next", source=FUNDING)
    return change(reversal, reverses_id=other.pk)


@plant("one movement per key", needs="postgresql")
def a_key_is_used_twice(world: World) -> Any:
    first, last = LedgerEntry.objects.filter(wallet=world.debtor).order_by("id")[:2]
    return change(last, key=first.key)


# Holds


def capture_once_more(campaign: UUID, amount: int = PRICE) -> LedgerEntry:
    """A capture in the ledger; nothing else knows of it."""
    hold = hold_of(campaign)
    change(hold, last_seq="(last_seq + 1)")
    return LedgerEntry.objects.create(
        wallet_id=hold.wallet_id, hold=hold, source=HELD, target=SPENT, amount_micros=amount,
        key=f"again:{hold.pk}", hold_seq=hold.last_seq + 1, created_at=clock.now(),
    )  # fmt: skip


@plant("hold = its entries")
def a_capture_is_written_twice(world: World) -> Any:
    capture_once_more(world.ended)
    return hold_of(world.ended)


@plant("hold settled = its rows")
def a_row_is_paid_for_while_it_is_still_held(world: World) -> Any:
    capture_once_more(world.queued)
    return change(hold_of(world.queued), captured_micros=PRICE)


@plant("hold = units x price of its rows", "campaign cost = its rows")
def a_price_changes_after_acceptance(world: World) -> Any:
    change(row_of(world.queued), unit_price_micros=PRICE + 5, cost_micros=PRICE + 5)
    return hold_of(world.queued)


@plant("hold = units x price of its rows", "cost = units x price")
def a_long_text_is_counted_as_two_units_and_paid_as_one(world: World) -> Any:
    change(row_of(world.queued), units=2)
    return hold_of(world.queued)


@plant("open hold = open rows")
def a_finished_hold_is_open(world: World) -> Any:
    return change(hold_of(world.ended), closed_at=None)


@plant("open hold = open rows")
def a_hold_with_money_in_it_is_closed(world: World) -> Any:
    return change(hold_of(world.queued), closed_at=world.now)


@plant("open hold = open rows", "hold settled = its rows", "campaign cost = its rows")
def a_row_is_released_and_its_hold_is_not(world: World) -> Any:
    for row in Message.objects.filter(campaign=world.stuck):
        change(row, charge=states.RELEASED)
    return hold_of(world.stuck)


@plant("open hold = open rows")
def a_release_that_waits_is_forgotten(world: World) -> Any:
    return change(hold_of(world.stuck), release_due_at=None)


@plant("no hold beyond its time")
def a_hold_is_never_settled(world: World) -> Any:
    long_ago = world.now - dt.timedelta(hours=48 + 72 + 2)
    change(parent(world.queued), expires_at=long_ago)
    return change(hold_of(world.queued), created_at=long_ago)


# Messages


@plant("cost = units x price")
def a_refused_row_has_a_cost(world: World) -> Any:
    return change(row_of(world.short, status=states.FAILED), cost_micros=5)


@plant("cost = units x price", "hold settled = its rows")
def a_replaced_attempt_has_another_cost(world: World) -> Any:
    attempt = MessageAttempt.objects.earliest("id")
    change(attempt, cost_micros=5)
    return attempt.message


@plant("charge fits status")
def a_delivered_row_is_still_held(world: World) -> Any:
    return change(row_of(world.free, status=states.DELIVERED), charge=states.HELD)


@plant("charge fits status")
def a_refused_row_has_captured_money(world: World) -> Any:
    return change(row_of(world.short, status=states.FAILED), captured_micros=1)


@plant("charge fits status")
def a_charged_row_has_no_hold(world: World) -> Any:
    return change(row_of(world.free, status=states.DELIVERED), hold_id=None)


@plant(
    "charge fits status", "hold settled = its rows", "campaign cost = its rows",
    "accepted = paid for",
)  # fmt: skip
def a_row_is_charged_and_nothing_captured(world: World) -> Any:
    row = row_of(world.ended, charge=states.CAPTURED)
    change(row, captured_micros=0, charge=states.NONE)
    return row


def refunded(world: World) -> Message:
    return row_of(world.ended, charge=states.REFUNDED)


@plant("no refund above capture")
def a_refund_is_paid_twice(world: World) -> Any:
    row = refunded(world)
    assert wallet.refund({row.hold_id: PRICE}, {row.hold_id: "again"}, world.now)
    Refund.objects.filter(message=row).update(amount_micros=2 * PRICE)
    return change(row, refunded_micros=2 * PRICE)


@plant("refund = its message's")
def a_refund_was_never_paid(world: World) -> Any:
    Refund.objects.filter(message=refunded(world)).update(paid_at=None)
    return refunded(world)


@plant("accepted = paid for")
def a_released_row_was_taken_by_the_carrier(world: World) -> Any:
    return change(row_of(world.ended, status=states.FAILED), carrier_ref="C-9")


@plant("accepted = paid for")
def a_queued_row_was_taken_by_the_carrier(world: World) -> Any:
    return change(row_of(world.queued), carrier_ref="C-9")


@plant("accepted = paid for")
def a_replaced_attempt_was_taken_by_the_carrier(world: World) -> Any:
    attempt = MessageAttempt.objects.earliest("id")
    change(attempt, carrier_ref="C-9")
    return attempt.message


@plant("captured = accepted")
def a_captured_row_was_never_asked_for(world: World) -> Any:
    return change(row_of(world.ended, status=states.DELIVERED), asked_at=None)


@plant("captured = accepted")
def a_captured_row_was_taken_by_nobody(world: World) -> Any:
    """Ended by the deadline, as the audit must think; then it says something else."""
    row = row_of(world.captured_unheard, status=states.UNCONFIRMED)
    count(world.captured_unheard, unconfirmed=-1, rejected=+1)
    return change(row, status=states.REJECTED)


def count(campaign: UUID, **changes: int) -> Campaign:
    """Move a campaign's counters, as it would have to be."""
    found = parent(campaign)
    return change(found, **{f"{n}_count": f"({n}_count + {by})" for n, by in changes.items()})


@plant("done = final")
def a_delivered_row_is_not_done(world: World) -> Any:
    change(count(world.ended, done=-1), finished_at=None)
    return change(row_of(world.ended, status=states.DELIVERED), done_at=None)


@plant("done = final")
def a_queued_row_is_done(world: World) -> Any:
    count(world.free_queued, done=+1)
    return change(row_of(world.free_queued), done_at=world.now)


@plant("every row's parents exist")
def a_row_has_no_campaign(world: World) -> Any:
    row = row_of(world.short, status=states.FAILED)
    row.id, row.campaign_id = ids.new(), ids.new()
    Message.objects.bulk_create([row])
    return row


@plant("every row's parents exist")
def a_row_has_no_hold(world: World) -> Any:
    return change(row_of(world.free, status=states.DELIVERED), hold_id=10**9)


@plant("every row's parents exist")
def an_attempt_has_no_message(world: World) -> Any:
    return change(MessageAttempt.objects.earliest("id"), message_id=ids.new())


@plant("every row's parents exist")
def an_attempt_replaces_a_later_one(world: World) -> Any:
    return change(MessageAttempt.objects.earliest("id"), attempt=9)


# Campaigns


@plant("campaign cost = its rows")
def a_hold_pays_for_another_campaign(world: World) -> Any:
    owner = parent(world.ended).organisation
    other = send(1, organisation=owner)
    hold = hold_of(world.ended)
    change(hold, campaign_id=other, round=7)
    return parent(world.ended)


@plant("campaign counters = its rows")
def a_counter_counts_what_is_not_there(world: World) -> Any:
    return count(world.ended, delivered=+1, failed=-1)


@plant("campaign counters = its rows")
def a_row_has_vanished(world: World) -> Any:
    row = row_of(world.short, status=states.FAILED)
    db.execute(f"DELETE FROM {Message._meta.db_table} WHERE id = %s", [row.pk])
    return parent(world.short)


@plant("campaign counters = its rows")
def more_were_sent_than_were_accepted(world: World) -> Any:
    return count(world.ended, sent=+1)


@plant("campaign counters = its rows")
def a_campaign_is_finished_before_its_rows(world: World) -> Any:
    return change(parent(world.queued), finished_at=world.now)


@plant("run counters = its rows")
def a_run_has_more_work_than_rows(world: World) -> Any:
    return change(Run.objects.get(campaign=world.queued), queued_count=4)


@plant("run counters = its rows")
def a_queued_row_has_no_run(world: World) -> Any:
    db.execute(f"DELETE FROM {Run._meta.db_table} WHERE campaign_id = %s", [world.queued])
    return row_of(world.queued)


@plant("one currency")
def a_campaign_is_in_another_currency(world: World) -> Any:
    return change(parent(world.queued), currency="UGX")


@plant("one organisation, test or live")
def a_row_belongs_to_the_test_twin(world: World) -> Any:
    return change(row_of(world.sent), organisation_id=world.test.pk)


@plant("one organisation, test or live")
def a_run_belongs_to_the_test_twin(world: World) -> Any:
    return change(Run.objects.get(campaign=world.sent), organisation_id=world.test.pk)


@plant("one organisation, test or live", "entries fit their hold")
def a_hold_is_of_the_test_twins_wallet(world: World) -> Any:
    return change(hold_of(world.sent), wallet_id=wallet.of(world.test).pk)


@plant("one organisation, test or live")
def a_test_twin_is_live(world: World) -> Any:
    return change(world.test, mode="live")


@plant("one campaign per reference and key")
def two_campaigns_have_one_reference(world: World) -> Any:
    owner = parent(world.ended).organisation
    change(parent(send(1, organisation=owner)), reference="R-1")
    return change(parent(world.ended), reference="R-1")


@plant("one campaign per reference and key")
def a_campaign_has_two_keys(world: World) -> Any:
    key = IdempotencyKey.objects.get(campaign=world.short)
    key.pk, key.key = None, "another"
    key.save(force_insert=True)
    return key


@plant("one campaign per reference and key", needs="postgresql")
def a_key_is_kept_twice(world: World) -> Any:
    key = IdempotencyKey.objects.get(campaign=world.short)
    key.pk, key.campaign_id = None, None
    key.save(force_insert=True)
    return key


# Requests in flight


@plant("requests own their rows")
def a_row_is_sending_after_its_request_ended(world: World) -> Any:
    row = row_of(world.sending)
    change(Submission.objects.get(pk=row.submission_id), status=states.RECORDED)
    return row


@plant("requests own their rows")
def a_sending_row_has_lost_its_request(world: World) -> Any:
    return change(row_of(world.sending), submission_id=None)


@plant("requests own their rows")
def an_open_request_has_lost_a_row(world: World) -> Any:
    row = row_of(world.sending)
    submission = Submission.objects.get(pk=row.submission_id)
    change(row, submission_id=ids.new())
    return submission


@plant("requests own their rows")
def a_lease_is_over_and_nobody_ticks(world: World) -> Any:
    submission = Submission.objects.get(pk=row_of(world.sending).submission_id)
    return change(submission, lease_until=world.now - dt.timedelta(hours=2))
