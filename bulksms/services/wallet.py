"""The wallet: what money allows, and setting it aside. One name for all that callers need of it.

``plan`` -> ``reserve`` when something is sent; ``capture``, ``release`` and ``refund`` (holds.py)
when it ends; ``top_up``, ``adjust``, ``reverse_top_up`` and the limits (funding.py) for operators;
``statement`` to read it all. Every movement is one ledger row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from django.db.models import F, Sum

from bulksms import clock, money
from bulksms.exceptions import WalletRefusal
from bulksms.models import Campaign, Hold, Wallet
from bulksms.models.wallet import AVAILABLE, HELD
from bulksms.services import ledger
from bulksms.services.funding import (
    adjust,
    open_wallet,
    payment_key,
    reverse_top_up,
    set_credit_limit,
    set_low_balance,
    set_spend_cap,
    top_up,
)
from bulksms.services.holds import capture, close_empty, held_micros, refund, release
from bulksms.services.ledger import Step, lock, of, spendable
from bulksms.services.statements import Line, Statement, lines, statement

__all__ = [
    "INSUFFICIENT_BALANCE", "SPEND_CAP_REACHED", "Line", "Plan", "Statement", "adjust", "cap_left",
    "capture", "close_empty", "held_micros", "lines", "lock", "of", "open_wallet", "payment_key",
    "plan", "refund", "release", "reserve", "reverse_top_up", "set_credit_limit",
    "set_low_balance", "set_spend_cap", "spendable", "statement", "top_up",
]  # fmt: skip

INSUFFICIENT_BALANCE: Literal["insufficient_balance"] = "insufficient_balance"
SPEND_CAP_REACHED: Literal["spend_cap_reached"] = "spend_cap_reached"


@dataclass(frozen=True, slots=True)
class Plan:
    """What money can do for a batch, in input order.

    ``funded`` rows cost ``total_micros``. ``stopped_at`` is the index of the first row that could
    not be paid (None: all could); from there on nothing is sent. ``available_micros`` and
    ``cap_left_micros`` are what each of the two limits still allowed at that point (None: no such
    limit); ``stopped_by`` says which of them it was (None: nothing stopped).
    """

    total_micros: int
    stopped_at: int | None
    available_micros: int | None
    stopped_by: Literal["insufficient_balance", "spend_cap_reached"] | None = None
    cap_left_micros: int | None = None


def plan(costs: Sequence[int | None], available: int | None, cap_left: int | None = None) -> Plan:
    """Fund rows in order until one is over a limit; then stop. Equal to it is not over it.

    ``costs`` are micros per row, None for a row that is refused anyway (it neither costs nor
    stops); a row that costs nothing never stops. ``available`` is what may be held, credit
    included, ``cap_left`` what the day's spend cap leaves; None = without limit. A row that is over
    both limits is stopped by the balance: that is the word that clients of this API know, and the
    one that they can do something about.
    """
    total = 0
    for index, cost in enumerate(costs):
        if not cost:
            continue
        left, cap = _minus(available, total), _minus(cap_left, total)
        if left is not None and cost > left:
            return Plan(total, index, left, INSUFFICIENT_BALANCE, cap)
        if cap is not None and cost > cap:
            return Plan(total, index, left, SPEND_CAP_REACHED, cap)
        total += cost
    return Plan(total, None, _minus(available, total), None, _minus(cap_left, total))


def _minus(limit: int | None, used: int) -> int | None:
    return None if limit is None else limit - used


# The daily spend cap


def cap_left(wallet: Wallet, now: dt.datetime) -> int | None:
    """What the spend cap still allows today, never below zero; None = there is no cap.

    Used up are the day's holds less what of them was released again. Ask under the wallet's lock:
    both move only there. The day is the organisation's own, from midnight to midnight where it is.
    """
    if wallet.daily_spend_cap_micros is None:
        return None
    start, end = day_of(now, wallet.organisation.time_zone)
    holds = Hold.objects.filter(wallet=wallet, created_at__gte=start, created_at__lt=end)
    used = holds.aggregate(used=Sum(F("held_micros") - F("released_micros")))["used"]
    return max(wallet.daily_spend_cap_micros - int(used or 0), 0)


def day_of(now: dt.datetime, time_zone: str) -> tuple[dt.datetime, dt.datetime]:
    """When the day of ``now`` begins and ends in ``time_zone``, in UTC; it may have 23 or 25 h."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    start, end = (
        dt.datetime.combine(date, dt.time.min, zone).astimezone(dt.UTC)
        for date in (today, today + dt.timedelta(days=1))
    )
    return start, end


# Setting money aside


def reserve(wallet: Wallet, campaign: Campaign, amount: int, round_: int = 0) -> Hold:
    """Hold ``amount`` micros of a locked wallet.

    Raises WalletRefusal below its limit or while money is owed (``plan`` prevents both).
    """
    _check_reserve(wallet, amount)
    now = clock.now()
    hold = Hold.objects.create(
        wallet=wallet, campaign=campaign, round=round_, held_micros=amount, created_at=now
    )
    if amount:
        key = f"hold:{campaign.pk}:{round_}"
        ledger.post([(wallet, [Step(AVAILABLE, HELD, amount, key, hold.pk)])], now)
    return hold


def _check_reserve(wallet: Wallet, amount: int) -> None:
    if amount and wallet.owed_micros:
        owed = money.sentence(wallet.owed_micros, wallet.currency)
        raise WalletRefusal(f"{owed} is owed for a reversed top-up.", code="wallet_frozen")
    there = spendable(wallet)
    if there is not None and amount > there:
        wanted, most = (money.sentence(micros, wallet.currency) for micros in (amount, there))
        raise WalletRefusal(f"{wanted} cannot be held: {most} is left.", code="below_limit")
