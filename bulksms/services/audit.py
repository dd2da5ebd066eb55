"""The audit: does every cent and every row add up? It only tells, and reads models alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Case, Count, F, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from bulksms import states
from bulksms.models import Campaign, Hold, LedgerEntry, Message, Wallet
from bulksms.models.wallet import AVAILABLE, HELD, SPENT

FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise: which check, and which rows."""

    check: str
    detail: str


def faults() -> Iterator[Fault]:
    """Every fault found, one by one."""
    for name, check in CHECKS.items():
        for detail in check():
            yield Fault(name, detail)


def _signed(account: str) -> Coalesce:
    into = When(target=account, then=F("amount_micros"))
    out_of = When(source=account, then=-F("amount_micros"))
    return Coalesce(Sum(Case(into, out_of, default=Value(0))), 0)


def wallet_is_sum_of_entries() -> Iterator[str]:
    sums = dict(
        LedgerEntry.objects.values("wallet")
        .annotate(s=_signed(AVAILABLE))
        .values_list("wallet", "s")
    )
    for wallet in Wallet.objects.iterator():
        found = sums.get(wallet.pk, 0)
        if wallet.available_micros != found:
            yield f"wallet {wallet.pk} says {wallet.available_micros}, its entries {found}"


def chain_has_no_gap() -> Iterator[str]:
    """seq 1, 2, 3, ... and each balance-after follows from the one before."""
    wallet, seq, balance = None, 0, 0
    entries = LedgerEntry.objects.filter(seq__isnull=False).order_by("wallet_id", "seq")
    columns = ("id", "wallet_id", "seq", "target", "amount_micros", "available_after_micros")
    for pk, owner, number, target, amount, after in entries.values_list(*columns).iterator():
        if owner != wallet:
            wallet, seq, balance = owner, 0, 0
        seq, balance = seq + 1, balance + (amount if target == AVAILABLE else -amount)
        if (number, after) != (seq, balance):
            yield f"ledger entry {pk}: seq {number} after {after}, expected {seq} after {balance}"
            seq, balance = number, after


def hold_is_sum_of_entries() -> Iterator[str]:
    entries = LedgerEntry.objects.filter(hold__isnull=False).values("hold")
    sums = {
        row["hold"]: (row["held"], row["captured"], row["released"])
        for row in entries.annotate(
            held=_sum(Q(target=HELD)), captured=_sum(Q(source=HELD, target=SPENT)),
            released=_sum(Q(source=HELD, target=AVAILABLE)),
        )
    }  # fmt: skip
    for hold in Hold.objects.iterator():
        wanted = (hold.held_micros, hold.captured_micros, hold.released_micros)
        if sums.get(hold.pk, (0, 0, 0)) != wanted:
            yield f"hold {hold.pk} says {wanted}, its entries {sums.get(hold.pk)}"


def _sum(condition: Q) -> Coalesce:
    return Coalesce(Sum("amount_micros", filter=condition), 0)


def hold_is_sum_of_messages() -> Iterator[str]:
    messages = Message.objects.filter(hold__isnull=False).values("hold_id")
    released = Q(charge=states.RELEASED)
    sums = {
        row["hold_id"]: (row["cost"], row["captured"], row["released"])
        for row in messages.annotate(
            cost=Coalesce(Sum("cost_micros"), 0), captured=Coalesce(Sum("captured_micros"), 0),
            released=Coalesce(Sum("cost_micros", filter=released), 0),
        )
    }  # fmt: skip
    for hold in Hold.objects.iterator():
        wanted = (hold.held_micros, hold.captured_micros, hold.released_micros)
        if sums.get(hold.pk, (0, 0, 0)) != wanted:
            yield f"hold {hold.pk} says {wanted}, its messages {sums.get(hold.pk)}"


def closed_means_nothing_held() -> Iterator[str]:
    nothing = Q(held_micros=F("captured_micros") + F("released_micros"))
    wrong = Hold.objects.filter(Q(nothing, closed_at=None) | Q(~nothing, closed_at__isnull=False))
    for pk in wrong.values_list("pk", flat=True).iterator():
        yield f"hold {pk} is closed with money in it, or open without"


def counters_are_counts() -> Iterator[str]:
    rows = Message.objects.values("campaign_id", "status").annotate(n=Count("id"))
    counts: dict[object, dict[str, int]] = {}
    for row in rows.iterator():
        counts.setdefault(row["campaign_id"], {})[row["status"]] = row["n"]
    for campaign in Campaign.objects.iterator():
        found = counts.get(campaign.pk, {})
        for status, column in states.COUNTERS.items():
            if getattr(campaign, column) != found.get(status, 0):
                said = getattr(campaign, column)
                yield f"campaign {campaign.pk}: {column} {said}, rows {found.get(status, 0)}"


def accepted_means_paid() -> Iterator[str]:
    """A message that a carrier took is captured, refunded, or was explicitly released."""
    paid = (states.CAPTURED, states.REFUNDED, states.RELEASED)
    unpaid = Message.objects.filter(sent_at__isnull=False).exclude(charge__in=paid)
    for pk in unpaid.values_list("pk", flat=True)[:FAULTS_SHOWN]:
        yield f"message {pk} was accepted and is not paid for"


def captured_means_asked() -> Iterator[str]:
    """Nobody pays for a message that no carrier was asked for."""
    unasked = Message.objects.filter(captured_micros__gt=0, asked_at=None)
    for pk in unasked.values_list("pk", flat=True)[:FAULTS_SHOWN]:
        yield f"message {pk} is captured and was never asked for"


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "wallet = sum of its entries": wallet_is_sum_of_entries,
    "the ledger's chain has no gap": chain_has_no_gap,
    "hold = sum of its entries": hold_is_sum_of_entries,
    "hold = sum of its messages": hold_is_sum_of_messages,
    "closed holds hold nothing": closed_means_nothing_held,
    "campaign counters = rows": counters_are_counts,
    "accepted = paid for": accepted_means_paid,
    "captured = asked for": captured_means_asked,
}
