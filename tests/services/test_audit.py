"""The audit is silent on all that can rightly happen, and finds each kind of corruption.

One database in which every state and every charge occurs is made for the whole file; each test
plants its fault in it by SQL, past constraints and triggers, and takes it back.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count as count_from
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from bulksms import clock, db, ids, send_bulk, states
from bulksms.carriers.base import ParsedReport
from bulksms.models import (
    Campaign,
    Hold,
    IdempotencyKey,
    LedgerEntry,
    Message,
    MessageAttempt,
    Organisation,
    Refund,
    Run,
    Submission,
    Wallet,
)
from bulksms.models.wallet import AVAILABLE, FUNDING, HELD, OWED, SPENT
from bulksms.services import attempts, audit, dispatch, reports, resolving, settlement, wallet
from bulksms.services.settlement import Move
from bulksms.testing import drain, tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

PRICE = 1_000_000
TEXT = "s3cret"
NUMBERS = kenyan_numbers(20)


# The clean database


SEEDS = count_from(1)


def carrier_with(rules: list[object]) -> AbstractContextManager[FakeCarrier]:
    """A fake carrier with rules. Each has its own seed, or their ids would be the same."""
    return fake_carrier(next(SEEDS), rules)


def send(count: int = 2, *, price: int = PRICE, organisation: Organisation | None = None) -> UUID:
    owner = organisation or make_organisation(100 * PRICE, price_micros=price)
    return send_bulk(recipients=NUMBERS[:count], message=TEXT, organisation=owner).id


def move(campaign: UUID, status: str, **how: Any) -> None:
    """End a campaign's queued rows as an operator would."""
    rows = Message.objects.filter(campaign=campaign, status=states.QUEUED)
    moves = [Move(id_, status, **how) for id_ in rows.values_list("id", flat=True)]
    settlement.apply(moves, [campaign], key=f"test:{campaign}", now=clock.now())


def every_end() -> UUID:
    """One campaign whose rows end in each way that a carrier knows."""
    ends = ("undelivered", "rejected", "expired")
    rules: list[object] = [
        {"match": {"number": number}, "report": end}
        for number, end in zip(NUMBERS, ends, strict=False)
    ]
    rules += [
        {"match": {"number": NUMBERS[3]}, "refuse": "blocked"},
        {"match": {"number": NUMBERS[4]}, "report": False},
    ]
    campaign = send(7)
    with carrier_with(rules) as house:
        house.run()
        house.run(hours=73)
        house.run(hours=73)
    return campaign


def lost(unknown_at_deadline: str) -> UUID:
    """A campaign of which no carrier ever spoke, ended by the deadline."""
    campaign = send(2)
    with carrier_with([{"lose_request": {"how": "reset"}}]):
        drain()
    virtual_clock.advance(hours=73)
    with override_settings(
        BULKSMS={**django_settings.BULKSMS, "UNKNOWN_AT_DEADLINE": unknown_at_deadline}
    ):
        tick()
    return campaign


def report(campaign: UUID, state: str) -> None:
    """A carrier's late word about the first row of a campaign."""
    row = Message.objects.filter(campaign=campaign).earliest("id")
    reports.store("main", [ParsedReport(f"late:{row.id}", "C-1", str(row.id), state, "", "{}")])
    assert reports.apply_once() == 1


def retry(campaign: UUID) -> None:
    """A second, newly funded attempt of a campaign's failed rows."""
    rows = Message.objects.filter(campaign=campaign, status=states.FAILED, hold__isnull=False)
    ids_, many = list(rows.values_list("id", flat=True)), rows.count()
    attempts.replace(ids_, clock.now(), take_over_hold=False)
    parent = Campaign.objects.get(id=campaign)
    hold = wallet.reserve(wallet.lock(parent.organisation), parent, many * PRICE, round_=1)
    Campaign.objects.filter(id=campaign).update(
        round=1, failed_count=F("failed_count") - many, queued_count=F("queued_count") + many,
        done_count=F("done_count") - many, finished_at=None, status=states.SENDING,
    )  # fmt: skip
    Run.objects.filter(campaign=campaign).update(queued_count=many, due_at=clock.now())
    rows.update(hold=hold, charge=states.HELD, status=states.QUEUED, done_at=None)


def retried() -> UUID:
    campaign = send(3)
    with carrier_with([{"match": {"number": NUMBERS[0]}, "refuse": "blocked"}]) as house:
        house.run()
    retry(campaign)
    deliver()
    return campaign


def resent() -> UUID:
    """Unknown messages that an operator had sent again; the first attempt then spoke up."""
    campaign = send(2)
    with carrier_with([{"lose_request": {"how": "reset"}}]):
        drain()
    rows = resolving.unknown_messages(campaign_id=campaign)
    assert resolving.decide(rows, resolving.RESEND, actor="op", why="urgent") == 2
    report(campaign, states.DELIVERED)
    deliver()
    return campaign


def expired() -> UUID:
    campaign = send(2)
    virtual_clock.advance(hours=49)
    tick()
    return campaign


def cancelled_while_the_wallet_was_locked() -> UUID:
    campaign = send(2)
    with mock.patch("bulksms.services.ledger.lock_free", return_value={}):
        move(campaign, states.CANCELLED)
    return campaign


def short_of_money() -> UUID:
    """Queued, refused by us, not affordable and skipped."""
    owner = make_organisation(2 * PRICE, price_micros=PRICE)
    recipients = [NUMBERS[0], "12", *NUMBERS[1:4]]
    campaign = send_bulk(recipients=recipients, message=TEXT, organisation=owner).id
    deliver()
    return campaign


def deliver() -> None:
    with carrier_with([]) as house:
        house.run()


def in_debt() -> Wallet:
    """A top-up that bounced after it was spent, and a new one that pays a part of it."""
    owner = make_organisation(3 * PRICE, price_micros=PRICE)
    wallet.top_up(owner, 3 * PRICE, key="bounced")
    send(5, organisation=owner)
    deliver()
    wallet.reverse_top_up(owner, "bounced", key="bank says no")
    wallet.top_up(owner, PRICE, key="next")
    wallet.adjust(owner, PRICE // 2, key="sorry", note="for the trouble")
    return wallet.of(owner)


@dataclass
class World:
    """The campaigns of the clean database, by what became of them."""

    ended: UUID = field(default_factory=every_end)
    captured_unheard: UUID = field(default_factory=lambda: lost("capture"))
    released_unheard: UUID = field(default_factory=lambda: lost("release"))
    retried: UUID = field(default_factory=retried)
    resent: UUID = field(default_factory=resent)
    expired: UUID = field(default_factory=expired)
    short: UUID = field(default_factory=short_of_money)
    debtor: Wallet = field(default_factory=in_debt)
    free: UUID = field(default_factory=lambda: send(2, price=0))

    def finish(self) -> World:
        """The half that is still under way, last: nothing may end it."""
        report(self.released_unheard, states.DELIVERED)
        report(self.captured_unheard, states.UNDELIVERED)
        self.creditor = make_organisation(0, price_micros=PRICE, credit_limit_micros=None)
        send(3, organisation=self.creditor)
        self.cancelled = send(2)
        move(self.cancelled, states.CANCELLED)
        deliver()
        self.free_queued = send(2, price=0)
        self._leave_open()
        self._add_test_twin()
        IdempotencyKey.objects.create(
            organisation=Campaign.objects.get(id=self.short).organisation, key="k",
            request_sha256="0" * 64, campaign_id=self.short, created_at=clock.now(),
        )  # fmt: skip
        self.now = clock.now()
        return self

    def _leave_open(self) -> None:
        Message.objects.filter(campaign=self.free_queued).update(carrier="main")
        with carrier_with([{"report": False}]) as house:
            self.sent = send(2)
            self._hide(self.free_queued, house)
            self.sending = send(2)
            assert dispatch.claim(house.carrier)
        with carrier_with([{"lose_request": {"how": "reset"}}]):
            self.unknown = send(3)
            drain()
        self.queued = send(3)
        self.stuck = cancelled_while_the_wallet_was_locked()

    def _hide(self, campaign: UUID, house: FakeCarrier) -> None:
        """Send all but this campaign."""
        Run.objects.filter(campaign=campaign).update(is_paused=True)
        drain()

    def _add_test_twin(self) -> None:
        self.test = make_organisation()
        Organisation.objects.filter(pk=self.test.pk).update(
            mode="test", live_twin=Campaign.objects.get(id=self.sent).organisation
        )


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    main = django_settings.BULKSMS["CARRIERS"]["main"]
    bulksms = {
        "CLOCK": "bulksms.testing.virtual_clock",
        "CARRIERS": {"main": {**main, "REFUNDS": {"rejected": "refund"}}},
    }
    virtual_clock.reset()
    with django_db_blocker.unblock(), transaction.atomic():
        with override_settings(BULKSMS={**django_settings.BULKSMS, **bulksms}):
            made = World().finish()
        yield made
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _time_of_the_world(_virtual_time: None, world: World) -> None:
    virtual_clock.advance(seconds=(world.now - virtual_clock.START).total_seconds())


def test_the_audit_is_silent_where_everything_happened_that_can(world: World) -> None:
    assert [str(fault) for fault in audit.faults()] == []
    assert set(Message.objects.values_list("status", flat=True)) == set(states.MESSAGE_STATES)
    assert set(Message.objects.values_list("charge", flat=True)) == set(states.CHARGES)
    assert set(MessageAttempt.objects.values_list("status", "charge")) == {
        (states.FAILED, states.RELEASED), (states.UNKNOWN, states.NONE)
    }  # fmt: skip
    assert Wallet.objects.filter(owed_micros__gt=0).exists()
    assert Hold.objects.filter(release_due_at__isnull=False).exists()


def test_the_audit_only_reads(world: World) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(audit.faults())

    assert len(queries) == sum(len(parts) for parts in audit.CHECKS.values())
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}


# Planting


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


@pytest.fixture
def unguarded() -> Iterator[None]:
    without_rules()
    yield
    if connection.vendor == "sqlite":
        db.execute("PRAGMA ignore_check_constraints = OFF")


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


@pytest.mark.parametrize("case", PLANTS, ids=lambda case: case.name)
def test_a_planted_corruption_is_found_by_its_check(
    case: Plant, world: World, unguarded: None
) -> None:
    if case.needs not in ("", connection.vendor):
        pytest.skip(f"this rule can be broken on {case.needs} only")
    row = case.plant(world)

    found = list(audit.faults())

    assert {fault.check for fault in found} == set(case.checks), [str(fault) for fault in found]
    assert str(row.pk) in {id_ for fault in found for id_ in fault.ids}
    assert all(any(map(str.isalpha, fault.what)) for fault in found)
    told = " ".join(str(fault) for fault in found)
    assert not [secret for secret in (TEXT, *NUMBERS) if secret in told]


def test_every_check_has_a_corruption_that_it_finds() -> None:
    assert {check for case in PLANTS for check in case.checks} == set(audit.CHECKS)


# Telling it


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("bulksms_audit", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def run_and_fail(*arguments: str) -> tuple[str, str]:
    """(what it printed, why it failed)"""
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("bulksms_audit", *arguments, stdout=out, stderr=io.StringIO())
    assert failed.value.returncode == 1
    return out.getvalue(), str(failed.value)


def break_rows(campaign: UUID, how_many: int) -> list[str]:
    rows = Message.objects.filter(campaign=campaign).order_by("id")[:how_many]
    return [str(change(row, carrier_ref="C-9").pk) for row in rows]


def test_the_command_says_that_the_ledger_is_balanced(world: World) -> None:
    assert run_command() == f"ledger balanced ({len(audit.CHECKS)} checks, no fault)\n"


def test_the_command_prints_a_line_per_fault_and_exits_1(world: World) -> None:
    (row,) = break_rows(world.queued, 1)

    assert run_and_fail() == (
        f"accepted = paid for: message {row}: taken by the carrier and held\n",
        f"1 fault, found by 1 of {len(audit.CHECKS)} checks",
    )


def test_a_fault_of_many_rows_names_a_few_and_counts_the_rest(world: World) -> None:
    owner = parent(world.ended).organisation
    rows = break_rows(send(12, organisation=owner), 12)

    out, _ = run_and_fail()

    named = ", ".join(rows[:5])
    assert out == (
        f"accepted = paid for: messages {named} and 7 more: taken by the carrier and held\n"
    )


def test_the_command_tells_so_many_faults_per_check_and_counts_the_rest(world: World) -> None:
    for by, campaign in enumerate((world.queued, world.stuck, world.sending, world.unknown), 1):
        count(campaign, sent=by)

    out, why = run_and_fail("--limit", "3")

    lines = out.splitlines()
    check = "campaign counters = its rows"
    assert lines == [
        f"{check}: campaign {world.queued}: sent_count 1, rows 0",
        f"{check}: campaign {world.stuck}: sent_count 2, rows 0",
        f"{check}: campaign {world.sending}: sent_count 3, rows 0",
        f"{check}: and 1 more fault",
    ]
    assert why == f"4 faults, found by 1 of {len(audit.CHECKS)} checks"


def test_the_command_writes_json(world: World) -> None:
    balanced = json.loads(run_command("--json"))
    (row,) = break_rows(world.queued, 1)
    out, _ = run_and_fail("--json")

    assert balanced == {"balanced": True, "checks": len(audit.CHECKS), "faults": [], "hidden": {}}
    assert json.loads(out)["faults"] == [
        {
            "check": "accepted = paid for", "noun": "message", "ids": [row], "more": 0,
            "what": "taken by the carrier and held",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_whole_number_above_zero(limit: str) -> None:
    with pytest.raises(CommandError, match="whole number"):
        call_command("bulksms_audit", f"--limit={limit}")
