"""The ledger: how a movement of money is written. Used by the wallet's services only.

Every movement of ``available`` is posted under its wallet's lock: numbered without a gap, with the
balance after it. Whatever comes in pays what is owed first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, transaction

from bulksms import conf, db, signals
from bulksms.exceptions import LedgerConflict, WalletBusy
from bulksms.models import LedgerEntry, Organisation, Wallet
from bulksms.models.wallet import AVAILABLE, OF_A_DEBT, OWED

WALLETS = Wallet._meta.db_table

#: The longest key of a caller; ours put a few words before it, into a column of 120.
MAX_KEY = 90
#: No single movement is larger (ten thousand million units of the currency): no sum overflows.
MAX_AMOUNT_MICROS = 10**16

_ENTRY = (
    "wallet_id", "hold_id", "source", "target", "amount_micros", "key", "note", "seq",
    "available_after_micros", "owed_after_micros", "hold_seq", "reverses_id", "created_at",
)  # fmt: skip
_WALLET = {
    "id": db.INT, "available_micros": db.INT, "owed_micros": db.INT, "last_seq": db.INT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One movement of ``available``, to or from it."""

    source: str
    target: str
    amount_micros: int
    key: str
    hold_id: int | None = None
    note: str = ""
    reverses_id: int | None = None

    @property
    def change_micros(self) -> int:
        """What it adds to ``available``."""
        return self.amount_micros if self.target == AVAILABLE else -self.amount_micros


# The wallet's row


def of(organisation: Organisation) -> Wallet:
    """The organisation's wallet, unlocked."""
    return Wallet.objects.get(organisation=organisation)


def lock(organisation: Organisation) -> Wallet:
    """The wallet, locked until the transaction ends. Raises WalletBusy after the time-out.

    FOR NO KEY UPDATE: a plain FOR UPDATE would also stop the captures, whose ledger rows refer to
    this one.
    """
    try:
        with db.lock_timeout(conf.settings.WALLET_LOCK_TIMEOUT_S):
            return Wallet.objects.select_for_update(no_key=True).get(organisation=organisation)
    except OperationalError as error:
        if not db.is_lock_timeout(error):
            raise
        raise WalletBusy(
            "The wallet is held by another transaction. Nothing was sent; try again, and keep"
            " send_bulk the last statement of your own transactions."
        ) from error


def lock_free(ids: set[int]) -> dict[int, Wallet]:
    """Of these wallets, those that nobody else holds, locked; in order of id."""
    free = Wallet.objects.select_for_update(skip_locked=True, no_key=True)
    return {wallet.pk: wallet for wallet in free.filter(id__in=ids).order_by("id")}


def spendable(wallet: Wallet) -> int | None:
    """What may still be held, credit included; None = unlimited. Nothing while money is owed."""
    return 0 if wallet.owed_micros else above_limit(wallet)


def above_limit(wallet: Wallet) -> int | None:
    """How far ``available`` is above its limit; None = there is no limit."""
    if wallet.credit_limit_micros is None:
        return None
    return wallet.available_micros + wallet.credit_limit_micros


# Writing


def post(postings: Sequence[tuple[Wallet, Sequence[Step]]], now: dt.datetime) -> None:
    """Write the steps of locked wallets: a row each in the ledger, one update of the wallets."""
    entries: list[tuple[Any, ...]] = []
    for wallet, steps in postings:
        before = wallet.available_micros
        entries += [_entry(wallet, step, now) for step in _paying_debts(wallet, steps)]
        _tell_when_low(wallet, before)
    rows = [(w.pk, w.available_micros, w.owed_micros, w.last_seq) for w, _ in postings]
    db.update(WALLETS, _WALLET, rows)
    db.insert(LedgerEntry, _ENTRY, entries)


def write_captures(rows: Sequence[tuple[int, int, str, str, int, str, int, dt.datetime]]) -> None:
    """Ledger rows (wallet, hold, source, target, micros, key, hold_seq, now): no wallet moves."""
    db.insert(
        LedgerEntry,
        _ENTRY,
        [(*row[:6], "", None, None, None, row[6], None, row[7]) for row in rows],
    )


def _paying_debts(wallet: Wallet, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, each that brings money in followed by what it pays of the debt.

    The wallet's figures move as the steps are consumed.
    """
    for step in steps:
        yield step
        if step.target == AVAILABLE and step.source != OWED and wallet.owed_micros:
            paid = min(step.amount_micros, wallet.owed_micros)
            yield Step(AVAILABLE, OWED, paid, f"debt-payment:{step.key}")


def _entry(wallet: Wallet, step: Step, now: dt.datetime) -> tuple[Any, ...]:
    of_a_debt = (step.source, step.target) in OF_A_DEBT
    wallet.available_micros += step.change_micros
    wallet.owed_micros += step.change_micros if of_a_debt else 0
    wallet.last_seq += 1
    return (
        wallet.pk, step.hold_id, step.source, step.target, step.amount_micros, step.key, step.note,
        wallet.last_seq, wallet.available_micros, wallet.owed_micros if of_a_debt else None, None,
        step.reverses_id, now,
    )  # fmt: skip


def _tell_when_low(wallet: Wallet, before: int) -> None:
    threshold, available = wallet.low_balance_micros, wallet.available_micros
    if threshold is None or not before >= threshold > available:
        return

    def tell() -> None:
        signals.low_balance.send_robust(
            sender=Wallet, organisation_id=wallet.organisation_id, wallet_id=wallet.pk,
            currency=wallet.currency, available_micros=available, threshold_micros=threshold,
        )  # fmt: skip

    transaction.on_commit(tell, robust=True)


# Callers' keys


def known(wallet: Wallet, step: Step) -> LedgerEntry | None:
    """The entry that was written for ``step`` before; None = it is new.

    Raises LedgerConflict when its key names another movement.
    """
    entry = LedgerEntry.objects.filter(wallet=wallet, key=step.key).first()
    if entry is None:
        return None
    written = (entry.source, entry.target, entry.amount_micros, entry.reverses_id)
    if written != (step.source, step.target, step.amount_micros, step.reverses_id):
        raise LedgerConflict(f"The key {step.key!r} was used before for another movement.")
    return entry


def check_key(key: str) -> str:
    """A caller's key, as it is. Raises ValueError."""
    if not key.strip() or len(key) > MAX_KEY or "\x00" in key:
        raise ValueError(f"A key has 1 to {MAX_KEY} characters.")
    return key


def check_amount(micros: int) -> int:
    """A positive whole number of micros, as it is. Raises TypeError, ValueError."""
    if type(micros) is not int:  # neither a float nor a bool
        raise TypeError(f"An amount is an int of micros, not {type(micros).__name__}.")
    if not 0 < micros <= MAX_AMOUNT_MICROS:
        raise ValueError(f"An amount is from 1 to {MAX_AMOUNT_MICROS} micros.")
    return micros
