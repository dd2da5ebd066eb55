"""The wallet: plan, hold, capture, release, and top-ups. Every movement is one ledger row.

Lock order: holds before wallets, each by id. A capture touches its hold and the ledger only; a
release takes the wallet if nobody holds it (SKIP LOCKED) and is left to the tick otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, transaction

from bulksms import clock, conf, db
from bulksms.exceptions import LedgerConflict, WalletBusy
from bulksms.models import Campaign, Hold, LedgerEntry, Organisation, Wallet
from bulksms.models.wallet import AVAILABLE, FUNDING, HELD, SPENT

HOLDS, WALLETS = Hold._meta.db_table, Wallet._meta.db_table

_ENTRY = (
    "wallet_id", "hold_id", "source", "target", "amount_micros", "key", "note", "seq",
    "available_after_micros", "hold_seq", "created_at",
)  # fmt: skip


# Planning


@dataclass(frozen=True, slots=True)
class Plan:
    """What money can do for a batch, in input order.

    ``funded`` rows cost ``total_micros``. ``stopped_at`` is the index of the first row that could
    not be paid (None: all could); from there on nothing is sent. ``available_micros`` is what could
    still be held at that point.
    """

    total_micros: int
    stopped_at: int | None
    available_micros: int | None


def plan(costs: Sequence[int | None], available: int | None) -> Plan:
    """Fund rows in order until one is not affordable; then stop.

    ``costs`` are micros per row, None for a row that is refused anyway (it neither costs nor
    stops). ``available`` is what may be held, credit included; None = without limit.
    """
    total = 0
    for index, cost in enumerate(costs):
        if cost is None:
            continue
        if available is not None and total + cost > available:
            return Plan(total, index, available - total)
        total += cost
    return Plan(total, None, None if available is None else available - total)


# Reading and locking


def of(organisation: Organisation) -> Wallet:
    """The organisation's wallet, unlocked."""
    return Wallet.objects.get(organisation=organisation)


def lock(organisation: Organisation) -> Wallet:
    """The wallet, locked until the transaction ends. Raises WalletBusy after the time-out."""
    try:
        with db.lock_timeout(conf.settings.WALLET_LOCK_TIMEOUT_S):
            return Wallet.objects.select_for_update().get(organisation=organisation)
    except OperationalError as error:
        if not db.is_lock_timeout(error):
            raise
        raise WalletBusy(
            "The wallet is held by another transaction. Nothing was sent; try again, and keep"
            " send_bulk the last statement of your own transactions."
        ) from error


def spendable(wallet: Wallet) -> int | None:
    """What may still be held, credit included; None = unlimited."""
    if wallet.credit_limit_micros is None:
        return None
    return wallet.available_micros + wallet.credit_limit_micros


def held_micros(wallet: Wallet) -> int:
    """The sum of the open holds."""
    rows = Hold.objects.filter(wallet=wallet, closed_at=None).values_list(
        "held_micros", "captured_micros", "released_micros"
    )
    return sum(held - captured - released for held, captured, released in rows)


# Movements of `available`, under the wallet's lock


def _move_available(
    wallet: Wallet, source: str, target: str, amount: int, key: str, now: dt.datetime,
    *, hold: int | None = None, note: str = "",
) -> None:  # fmt: skip
    """One numbered movement of a locked wallet; writes the ledger row and the wallet."""
    wallet.available_micros += amount if target == AVAILABLE else -amount
    wallet.last_seq += 1
    wallet.save(update_fields=("available_micros", "last_seq"))
    LedgerEntry.objects.create(
        wallet=wallet, hold_id=hold, source=source, target=target, amount_micros=amount, key=key,
        note=note, seq=wallet.last_seq, available_after_micros=wallet.available_micros,
        created_at=now,
    )  # fmt: skip


def reserve(wallet: Wallet, campaign: Campaign, amount: int, round_: int = 0) -> Hold:
    """Hold ``amount`` of a locked wallet. Raises IntegrityError below its limit."""
    now = clock.now()
    hold = Hold.objects.create(
        wallet=wallet, campaign=campaign, round=round_, held_micros=amount, created_at=now
    )
    if amount:
        key = f"hold:{campaign.pk}:{round_}"
        _move_available(wallet, AVAILABLE, HELD, amount, key, now, hold=hold.pk)
    return hold


def top_up(
    organisation: Organisation, amount_micros: int, *, key: str, note: str = ""
) -> LedgerEntry:
    """Credit the wallet once per ``key`` (provider and reference of the payment).

    The same key and amount again is a no-op that returns the first entry. Raises LedgerConflict for
    the same key with another amount, ValueError for an amount that is not positive.
    """
    if amount_micros <= 0:
        raise ValueError("a top-up must be more than zero micros")
    key = f"top-up:{key}"
    with transaction.atomic():
        wallet = lock(organisation)
        known = LedgerEntry.objects.filter(wallet=wallet, key=key).first()
        if known is None:
            now = clock.now()
            _move_available(wallet, FUNDING, AVAILABLE, amount_micros, key, now, note=note)
            return LedgerEntry.objects.get(wallet=wallet, key=key)
    if known.amount_micros != amount_micros:
        raise LedgerConflict(f"the key {key!r} was used for another amount")
    return known


# Settling holds: set-based, for the holds of one batch

_HOLD_LOCK = "SELECT id, wallet_id, last_seq FROM {holds} WHERE {those} ORDER BY id{lock}"


def _lock_holds(ids: Sequence[int]) -> list[db.Row]:
    those, params = db.matching("id", db.INT, sorted(ids))
    sql = _HOLD_LOCK.format(holds=HOLDS, those=those, lock=db.for_update())
    return db.fetch(sql, params, (db.INT, db.INT, db.INT))


def capture(amounts: Mapping[int, int], key: str, now: dt.datetime) -> None:
    """held -> spent, ``amounts`` micros per hold id. ``key`` names the cause: a submission, say."""
    wanted = {hold: amount for hold, amount in amounts.items() if amount}
    if not wanted:
        return
    entries: list[tuple[Any, ...]] = []
    changes: list[tuple[Any, ...]] = []
    for hold, wallet, seq in _lock_holds(list(wanted)):
        amount = wanted[hold]
        changes.append((hold, amount, 1))
        cause = f"capture:{key}:{hold}"
        entries.append((wallet, hold, HELD, SPENT, amount, cause, "", None, None, seq + 1, now))
    columns = {"id": db.INT, "captured_micros": db.INT, "last_seq": db.INT}
    db.add(HOLDS, columns, changes)
    _write(entries)
    _close(list(wanted), now)


def release(amounts: Mapping[int, int], key: str, now: dt.datetime) -> set[int]:
    """held -> available, per hold id; returns the holds whose wallet was free to take it.

    The others are marked ``release_due_at`` for the tick.
    """
    if not amounts:
        return set()
    holds = _lock_holds(list(amounts))
    free = _lock_free_wallets({wallet for _, wallet, _ in holds})
    taken = {hold for hold, wallet, _ in holds if wallet in free}
    for hold, wallet_id, _ in holds:
        if wallet_id in free and amounts[hold]:
            key_ = f"release:{key}:{hold}"
            _move_available(free[wallet_id], HELD, AVAILABLE, amounts[hold], key_, now, hold=hold)
    columns = {"id": db.INT, "released_micros": db.INT}
    db.add(HOLDS, columns, [(hold, amounts[hold]) for hold in sorted(taken)])
    due = sorted(set(amounts) - taken)
    db.update(HOLDS, {"id": db.INT, "release_due_at": db.TIME}, [(hold, now) for hold in due])
    _close(sorted(taken), now)
    return taken


def _lock_free_wallets(ids: set[int]) -> dict[int, Wallet]:
    free = Wallet.objects.select_for_update(skip_locked=True).filter(id__in=ids).order_by("id")
    return {wallet.pk: wallet for wallet in free}


def _close(holds: Sequence[int], now: dt.datetime) -> None:
    """Close those of the (locked) holds of which nothing is held any more."""
    those, params = db.matching("id", db.INT, list(holds))
    db.execute(
        f"UPDATE {HOLDS} SET closed_at = %s WHERE {those}"
        " AND closed_at IS NULL AND captured_micros + released_micros = held_micros",
        [now, *params],
    )


def close_empty(hold: Hold) -> None:
    """A hold of zero micros (free destinations) is closed at once."""
    if hold.held_micros == 0:
        _close([hold.pk], hold.created_at)


def _write(entries: Sequence[Sequence[Any]]) -> None:
    db.insert(LedgerEntry, _ENTRY, entries)


def open_wallet(
    organisation: Organisation, currency: str, *, credit_limit_micros: int | None = 0
) -> Wallet:
    """Give ``organisation`` its wallet, once; an existing one keeps its currency and limit."""
    wallet, _ = Wallet.objects.get_or_create(
        organisation=organisation,
        defaults={"currency": currency, "credit_limit_micros": credit_limit_micros},
    )
    return wallet
