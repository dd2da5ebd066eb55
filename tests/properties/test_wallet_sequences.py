"""Any sequence of what can happen to a wallet keeps its books: against a model of integers."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bulksms import states
from bulksms.exceptions import WalletRefusal
from bulksms.models import Campaign, Message, Organisation, Run
from bulksms.models.outbox import NORMAL
from bulksms.services import audit, refunds, settlement, wallet
from bulksms.services.settlement import Move
from bulksms.testing import virtual_clock
from tests.factories import make_organisation
from tests.wallets import check_books

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

amounts = st.integers(1, 30)
prices = st.lists(st.integers(0, 9), min_size=1, max_size=5)
TABLE = {"undelivered": "refund", "unconfirmed": "refund", "undelivered:kept": "keep"}
REPORTED = sorted(states.REPORTED)


class Model:
    """What should be there, in plain integers; written from the rules, not from the code."""

    def __init__(self) -> None:
        self.available = self.owed = self.limit = 0
        self.cap: int | None = None
        self.top_ups: dict[str, int] = {}
        self.reversed: set[str] = set()
        #: message -> [state, price, its money, when it is refunded or None, day of its hold]
        self.rows: dict[UUID, list[Any]] = {}

    @property
    def spent_today(self) -> int:
        counted = [row for row in self.rows.values() if row[2] != states.RELEASED]
        return sum(row[1] for row in counted if row[4] == today())

    def comes_in(self, amount: int) -> None:
        paid = min(amount, self.owed)
        self.owed -= paid
        self.available += amount - paid

    def spendable(self) -> int:
        return 0 if self.owed else self.available + self.limit

    def affordable(self, costs: list[int]) -> list[int]:
        money = self.spendable()
        if self.cap is not None:
            money = min(money, max(self.cap - self.spent_today, 0))
        funded: list[int] = []
        for cost in costs:
            if cost and sum(funded) + cost > money:
                break
            funded.append(cost)
        return funded


class WalletMachine(RuleBasedStateMachine):
    """Operators, senders, carriers and time, in any order."""

    organisation: Organisation

    @initialize()
    def open(self) -> None:
        self.story = transaction.atomic()
        self.story.__enter__()
        virtual_clock.reset()
        self.model, self.steps = Model(), 0
        self.organisation = make_organisation(balance_micros=0, price_micros=None)

    def key(self) -> str:
        self.steps += 1
        return f"{self.organisation.pk}:{self.steps}"

    # Operators

    @rule(amount=amounts)
    def top_up(self, amount: int) -> None:
        key = self.key()
        for _ in range(2):  # a repeated one is a no-op
            wallet.top_up(self.organisation, amount, key=key)
        self.model.top_ups[key] = amount
        self.model.comes_in(amount)

    @precondition(lambda self: set(self.model.top_ups) - self.model.reversed)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        model = self.model
        paid = data.draw(st.sampled_from(sorted(set(model.top_ups) - model.reversed)))
        wallet.reverse_top_up(self.organisation, paid, key=paid)
        model.reversed.add(paid)
        there = min(model.top_ups[paid], model.available + model.limit)
        model.available -= there
        model.owed += model.top_ups[paid] - there

    @rule(amount=st.integers(-30, 30).filter(bool))
    def adjust(self, amount: int) -> None:
        refused = amount < 0 and -amount > self.model.spendable()
        with refusal(refused):
            wallet.adjust(self.organisation, amount, key=self.key(), note="n")
        if amount > 0:
            self.model.comes_in(amount)
        elif not refused:
            self.model.available += amount

    @rule(limit=st.integers(0, 20))
    def change_credit(self, limit: int) -> None:
        refused = self.model.available < -limit
        with refusal(refused):
            wallet.set_credit_limit(self.organisation, limit)
        self.model.limit = self.model.limit if refused else limit

    @rule(cap=st.none() | st.integers(0, 40))
    def change_cap(self, cap: int | None) -> None:
        wallet.set_spend_cap(self.organisation, cap)
        self.model.cap = cap

    # Senders

    @rule(costs=prices)
    def send(self, costs: list[int]) -> None:
        funded = self.model.affordable(costs)
        rows = accept(self.organisation, costs)
        assert [cost for _, cost in rows] == funded
        self.model.available -= sum(funded)
        for id_, cost in rows:
            self.model.rows[id_] = [states.SENDING, cost, states.HELD, None, today()]

    # Carriers

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), word=st.sampled_from([
        states.SENT, states.UNKNOWN, states.FAILED, states.UNCONFIRMED, *REPORTED, *REPORTED,
    ]), error=st.sampled_from(["", "kept"]))  # fmt: skip
    def hear(self, data: st.DataObject, word: str, error: str) -> None:
        """Of some messages the same is heard, possible or not (a late 'delivered', a repeat)."""
        ids = data.draw(st.sets(st.sampled_from(sorted(self.model.rows)), max_size=4))
        campaigns = set(Message.objects.filter(id__in=ids).values_list("campaign_id", flat=True))
        moves = [Move(id_, word, error=error, asked_at=virtual_clock.now()) for id_ in sorted(ids)]
        with transaction.atomic():
            settlement.apply(moves, campaigns, key=self.key(), now=virtual_clock.now())
        released = sum(self.expect(self.model.rows[id_], word, error) for id_ in ids)
        self.model.comes_in(released)

    def expect(self, row: list[Any], word: str, error: str) -> int:
        """Move the model's row; returns what is released."""
        old, cost, charge = row[:3]
        if not states.allowed(old, word):
            if word == states.DELIVERED:
                row[3] = None
            return 0
        row[0] = word
        if old == states.UNCONFIRMED:
            row[3] = None
        if charge == states.HELD and (word in states.ACCEPTED):
            row[2] = states.CAPTURED
        elif charge == states.HELD and word in states.FINAL:
            row[2] = states.RELEASED
            return int(cost)
        rule_ = TABLE.get(f"{word}:{error}", TABLE.get(word))
        if row[2] == states.CAPTURED and cost and rule_ == "refund":
            row[3] = virtual_clock.now() + dt.timedelta(hours=72)
        return 0

    # Time

    @rule(hours=st.sampled_from([1, 11, 50, 72]))
    def wait(self, hours: int) -> None:
        virtual_clock.advance(hours=hours)
        refunds.pay_due(virtual_clock.now())
        for row in self.model.rows.values():
            if row[3] is not None and row[3] <= virtual_clock.now():
                row[2:4] = [states.REFUNDED, None]
                self.model.comes_in(row[1])

    # What must hold

    @invariant()
    def the_figures_are_the_models(self) -> None:
        purse, model = wallet.of(self.organisation), self.model
        assert (purse.available_micros, purse.owed_micros) == (model.available, model.owed)
        held = sum(row[1] for row in model.rows.values() if row[2] == states.HELD)
        assert wallet.held_micros(purse) == held
        left = None if model.cap is None else max(model.cap - model.spent_today, 0)
        assert wallet.cap_left(purse, virtual_clock.now()) == left

    @invariant()
    def the_rows_are_the_models(self) -> None:
        found = Message.objects.filter(organisation=self.organisation)
        rows = {row[0]: row[1:] for row in found.values_list("id", "status", "charge")}
        assert rows == {id_: (row[0], row[2]) for id_, row in self.model.rows.items()}

    @invariant()
    def the_books_are_right(self) -> None:
        check_books(self.organisation)

    def teardown(self) -> None:
        try:
            # Its words on requests and overdue work are not of interest: no worker runs here.
            money = [f for f in audit.faults() if f.noun in ("wallet", "hold", "ledger entry")]
            assert [fault for fault in money if "deadline" not in fault.what] == []
        finally:
            transaction.set_rollback(True)
            self.story.__exit__(None, None, None)


def today() -> dt.date:
    """In Nairobi, which is three hours ahead all year."""
    return (virtual_clock.now() + dt.timedelta(hours=3)).date()


@contextmanager
def refusal(expected: bool) -> Iterator[None]:
    if not expected:
        yield
        return
    with pytest.raises(WalletRefusal), transaction.atomic():
        yield


def accept(organisation: Organisation, costs: list[int]) -> list[tuple[UUID, int]]:
    """A request of rows with these prices, as sending does it; returns the funded rows."""
    with transaction.atomic():
        purse, now = wallet.lock(organisation), virtual_clock.now()
        plan = wallet.plan(costs, wallet.spendable(purse), wallet.cap_left(purse, now))
        funded = costs[: plan.stopped_at]
        return write(organisation, purse, funded) if funded else []


def write(organisation: Organisation, purse: Any, funded: list[int]) -> list[tuple[UUID, int]]:
    now, expires = virtual_clock.now(), virtual_clock.now() + dt.timedelta(hours=48)
    new = Campaign.objects.create(
        id=fresh_id(), organisation=organisation, currency="KES", recipients_count=len(funded),
        sending_count=len(funded), created_at=now, expires_at=expires, status=states.SENDING,
    )  # fmt: skip
    hold = wallet.reserve(purse, new, sum(funded))
    wallet.close_empty(hold)
    Run.objects.create(
        campaign=new, organisation=organisation, carrier="main", priority=NORMAL, due_at=now
    )
    rows = [
        Message(
            id=fresh_id(), organisation=organisation, campaign=new, number="254712000000",
            intake_status=states.QUEUED, units=1, unit_price_micros=cost, cost_micros=cost,
            hold=hold, charge=states.HELD, status=states.SENDING, carrier="main", due_at=now,
            expires_at=expires, asked_at=now,
        )
        for cost in funded
    ]  # fmt: skip
    Message.objects.bulk_create(rows)
    return [(row.id, row.cost_micros) for row in rows]


_ids = Counter[str]()


def fresh_id() -> UUID:
    _ids["n"] += 1
    return UUID(int=0x0198_0000_0000_7000_8000_0000_0000_0000 + _ids["n"])


def test_any_sequence_of_wallet_operations_keeps_the_books() -> None:
    main = {
        **django_settings.BULKSMS["CARRIERS"]["main"], "REFUNDS": TABLE, "TRUST_REPORTS": True,
    }  # fmt: skip
    changed = {
        **django_settings.BULKSMS,
        "CARRIERS": {"main": main},
        "CLOCK": "bulksms.testing.virtual_clock",
    }
    with override_settings(BULKSMS=changed):
        run_state_machine_as_test(
            WalletMachine,
            settings=settings(
                max_examples=60, stateful_step_count=25, deadline=None,
                suppress_health_check=list(HealthCheck),
                # Shrinking takes minutes (a step is ten statements): add Phase.shrink to it.
                phases=(Phase.explicit, Phase.reuse, Phase.generate),
            ),
        )  # fmt: skip
