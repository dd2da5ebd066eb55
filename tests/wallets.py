"""What the tests of money share: holds without a request, and what must be true of every wallet."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from bulksms import clock, ids
from bulksms.models import Campaign, Hold, LedgerEntry, Organisation, Wallet
from bulksms.models.wallet import AVAILABLE, HELD, OWED, SPENT
from bulksms.services import wallet

KES = 1_000_000


def make_campaign(organisation: Organisation) -> Campaign:
    """An empty campaign, to hold money for."""
    now = clock.now()
    return Campaign.objects.create(
        id=ids.new(), organisation=organisation, currency="KES", recipients_count=0,
        created_at=now, expires_at=now + dt.timedelta(hours=48),
    )  # fmt: skip


def hold(organisation: Organisation, micros: int) -> Hold:
    """Set ``micros`` aside for a new campaign."""
    with transaction.atomic():
        purse = wallet.lock(organisation)
        return wallet.reserve(purse, make_campaign(organisation), micros)


def available(organisation: Organisation) -> int:
    return wallet.of(organisation).available_micros


def owed(organisation: Organisation) -> int:
    return wallet.of(organisation).owed_micros


def kinds(organisation: Organisation) -> list[tuple[str, int, int]]:
    """The statement as (kind, signed micros, balance after)."""
    lines = wallet.statement(organisation, limit=1000).lines
    return [(line.kind, line.amount_micros, line.balance_micros) for line in lines]


def check_books(organisation: Organisation) -> None:
    """Every balance is the sum of its entries, every chain is gapless, no limit is broken."""
    purse = Wallet.objects.get(organisation=organisation)
    entries = list(LedgerEntry.objects.filter(wallet=purse).order_by("id"))
    balance, debt, seq = 0, 0, 0
    for entry in sorted((e for e in entries if e.seq is not None), key=lambda e: e.seq or 0):
        seq += 1
        balance += _flow(entry, AVAILABLE)
        assert (entry.seq, entry.available_after_micros) == (seq, balance)
        if OWED in (entry.source, entry.target):
            debt -= _flow(entry, OWED)
            assert entry.owed_after_micros == debt >= 0
    assert (purse.available_micros, purse.owed_micros, purse.last_seq) == (balance, debt, seq)
    limit = purse.credit_limit_micros
    assert limit is None or balance >= -limit
    for owned in Hold.objects.filter(wallet=purse):
        check_hold(owned, [e for e in entries if e.hold_id == owned.pk])


def check_hold(owned: Hold, entries: list[LedgerEntry]) -> None:
    def moved(source: str, target: str) -> int:
        return sum(
            entry.amount_micros
            for entry in entries
            if (entry.source, entry.target) == (source, target)
        )

    assert owned.held_micros == moved(AVAILABLE, HELD)
    assert owned.captured_micros == moved(HELD, SPENT)
    assert owned.released_micros == moved(HELD, AVAILABLE)
    assert owned.refunded_micros == moved(SPENT, AVAILABLE) <= owned.captured_micros
    left = owned.held_micros - owned.captured_micros - owned.released_micros
    assert (left == 0) == (owned.closed_at is not None)
    numbers = [entry.hold_seq for entry in entries if entry.hold_seq is not None]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def _flow(entry: LedgerEntry, account: str) -> int:
    """What the entry adds to ``account``."""
    if entry.target == account:
        return entry.amount_micros
    return -entry.amount_micros if entry.source == account else 0
