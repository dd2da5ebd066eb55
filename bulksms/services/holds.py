"""Settling holds, set-based, for the holds of one batch: capture, release, refund.

Lock order: holds before wallets, each by id. A capture touches its hold and the ledger only; a
release and a refund take the wallet if nobody holds it (SKIP LOCKED), the rest is left to the tick.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from bulksms import db
from bulksms.models import Hold, Wallet
from bulksms.models.wallet import AVAILABLE, HELD, SPENT
from bulksms.services import ledger
from bulksms.services.ledger import Step

HOLDS = Hold._meta.db_table


def lock(ids: Iterable[int]) -> list[tuple[int, int, int]]:
    """(id, wallet, last seq) of the holds, locked; other rows may refer to them meanwhile."""
    holds = Hold.objects.select_for_update(no_key=True).filter(id__in=list(ids)).order_by("id")
    return list(holds.values_list("id", "wallet_id", "last_seq"))


def capture(amounts: Mapping[int, int], key: str, now: dt.datetime) -> None:
    """held -> spent, ``amounts`` micros per hold id. ``key`` names the cause: a submission, say."""
    wanted = {hold: amount for hold, amount in amounts.items() if amount}
    if not wanted:
        return
    holds = lock(list(wanted))
    columns = {"id": db.INT, "captured_micros": db.INT, "last_seq": db.INT}
    db.add(HOLDS, columns, [(hold, wanted[hold], 1) for hold, _, _ in holds])
    ledger.write_captures(
        [
            (wallet, hold, HELD, SPENT, wanted[hold], f"capture:{key}:{hold}", seq + 1, now)
            for hold, wallet, seq in holds
        ]
    )
    close(list(wanted), now)


def release(amounts: Mapping[int, int], key: str, now: dt.datetime) -> set[int]:
    """held -> available, per hold id; returns the holds whose wallet was free to take it.

    The others are marked ``release_due_at`` for the tick.
    """
    if not amounts:
        return set()
    keys = {hold: f"release:{key}:{hold}" for hold in amounts}
    taken = _give_back(amounts, HELD, keys, "released_micros", now)
    due = sorted(set(amounts) - taken)
    db.update(HOLDS, {"id": db.INT, "release_due_at": db.TIME}, [(hold, now) for hold in due])
    close(sorted(taken), now)
    return taken


def refund(amounts: Mapping[int, int], causes: Mapping[int, str], now: dt.datetime) -> set[int]:
    """spent -> available, per hold id; returns the holds whose wallet was free to take it.

    ``causes`` are the ledger keys, one per hold. The caller asks again for the other holds.
    """
    keys = {hold: f"refund:{cause}" for hold, cause in causes.items()}
    return _give_back(amounts, SPENT, keys, "refunded_micros", now) if amounts else set()


def _give_back(
    amounts: Mapping[int, int], source: str, keys: Mapping[int, str], column: str, now: dt.datetime
) -> set[int]:
    holds = lock(list(amounts))
    wallets = ledger.lock_free({wallet for _, wallet, _ in holds})
    taken = [(hold, wallet) for hold, wallet, _ in holds if wallet in wallets]
    steps: dict[int, list[Step]] = {wallet: [] for wallet in wallets}
    for hold, wallet in taken:
        if amounts[hold]:
            steps[wallet].append(Step(source, AVAILABLE, amounts[hold], keys[hold], hold))
    ledger.post([(wallets[wallet], steps[wallet]) for wallet in wallets if steps[wallet]], now)
    db.add(HOLDS, {"id": db.INT, column: db.INT}, [(hold, amounts[hold]) for hold, _ in taken])
    return {hold for hold, _ in taken}


def close(holds: Sequence[int], now: dt.datetime) -> None:
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
        close([hold.pk], hold.created_at)


def held_micros(wallet: Wallet) -> int:
    """The sum of the open holds."""
    rows = Hold.objects.filter(wallet=wallet, closed_at=None).values_list(
        "held_micros", "captured_micros", "released_micros"
    )
    return sum(held - captured - released for held, captured, released in rows)
