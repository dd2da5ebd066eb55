"""Money: wallets, holds and the append-only ledger, in integer micros (1 KES = 1_000_000)."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from bulksms.models.base import CreatedModel, at_least_zero, one_of
from bulksms.models.organisations import Organisation

FUNDING = "funding"
AVAILABLE = "available"
HELD = "held"
SPENT = "spent"

#: (source, target) -> what the movement is called.
MOVEMENTS = {
    (FUNDING, AVAILABLE): "top-up",
    (AVAILABLE, FUNDING): "withdrawal",
    (AVAILABLE, HELD): "hold",
    (HELD, AVAILABLE): "release",
    (HELD, SPENT): "capture",
    (SPENT, AVAILABLE): "refund",
}


class Wallet(CreatedModel):
    """An organisation's prepaid money in one currency that never changes.

    ``available_micros`` may go down to ``-credit_limit_micros`` (null = unlimited credit). What is
    held is no column: it is the sum of the open holds, so that a capture never touches this row.
    """

    organisation = models.OneToOneField(
        Organisation, on_delete=models.PROTECT, related_name="wallet"
    )
    currency = models.CharField(max_length=3)
    available_micros = models.BigIntegerField(default=0)
    credit_limit_micros = models.BigIntegerField(null=True, blank=True, default=0)
    #: The last (wallet, seq) of the ledger: movements of ``available`` are numbered without a gap.
    last_seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(credit_limit_micros=None)
                | Q(available_micros__gte=-F("credit_limit_micros")),
                name="bulksms_wallet_not_below_limit",
            ),
            models.CheckConstraint(
                condition=Q(credit_limit_micros=None) | Q(credit_limit_micros__gte=0),
                name="bulksms_wallet_credit",
            ),
        )

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.currency}"


class Hold(CreatedModel):
    """Money set aside for one campaign (round 0) or one retry of it (round 1, 2, ...)."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="holds")
    campaign = models.ForeignKey("bulksms.Campaign", on_delete=models.PROTECT, related_name="holds")
    round = models.PositiveIntegerField(default=0)
    held_micros = models.BigIntegerField()
    captured_micros = models.BigIntegerField(default=0)
    released_micros = models.BigIntegerField(default=0)
    refunded_micros = models.BigIntegerField(default=0)
    #: The last (hold, hold_seq) of the ledger: captures are numbered without a gap.
    last_seq = models.BigIntegerField(default=0)
    #: Rows of this hold ended while the wallet was locked: the tick releases their share.
    release_due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            at_least_zero(
                "held_micros", "captured_micros", "released_micros", "refunded_micros",
                name="hold_amounts",
            ),
            models.CheckConstraint(
                condition=Q(held_micros__gte=F("captured_micros") + F("released_micros")),
                name="bulksms_hold_not_overspent",
            ),
            models.CheckConstraint(
                condition=Q(captured_micros__gte=F("refunded_micros")),
                name="bulksms_hold_refund_within_capture",
            ),
            models.UniqueConstraint(fields=("campaign", "round"), name="bulksms_hold_round"),
        )  # fmt: skip
        indexes = (
            models.Index(fields=("wallet",), condition=Q(closed_at=None), name="bulksms_hold_open"),
            models.Index(
                fields=("release_due_at",),
                condition=Q(release_due_at__isnull=False),
                name="bulksms_hold_release_due",
            ),
        )

    def __str__(self) -> str:
        return f"hold {self.pk}"


def _movement(*pairs: tuple[str, str]) -> Q:
    condition = Q()
    for source, target in pairs:
        condition |= Q(source=source, target=target)
    return condition


class LedgerEntry(models.Model):
    """One movement of money; never changed, never deleted (PostgreSQL refuses it by trigger)."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="entries")
    hold = models.ForeignKey(Hold, null=True, on_delete=models.PROTECT, related_name="entries")
    source = models.CharField(max_length=10)
    target = models.CharField(max_length=10)
    amount_micros = models.BigIntegerField()
    #: The caller's key: the same key twice is one movement.
    key = models.CharField(max_length=120)
    note = models.CharField(max_length=255, blank=True)
    seq = models.BigIntegerField(null=True)
    available_after_micros = models.BigIntegerField(null=True)
    hold_seq = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = (
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0), name="bulksms_ledgerentry_positive"
            ),
            models.CheckConstraint(
                condition=_movement(*MOVEMENTS), name="bulksms_ledgerentry_movement"
            ),
            models.CheckConstraint(
                condition=Q(
                    _movement((HELD, SPENT)),
                    seq=None, available_after_micros=None, hold_seq__isnull=False,
                    hold__isnull=False,
                )
                | Q(
                    ~_movement((HELD, SPENT)),
                    seq__isnull=False, available_after_micros__isnull=False, hold_seq=None,
                ),
                name="bulksms_ledgerentry_chain",
            ),
            models.UniqueConstraint(fields=("wallet", "key"), name="bulksms_ledgerentry_key"),
            models.UniqueConstraint(
                fields=("wallet", "seq"), condition=Q(seq__isnull=False),
                name="bulksms_ledgerentry_seq",
            ),
            models.UniqueConstraint(
                fields=("hold", "hold_seq"), condition=Q(hold_seq__isnull=False),
                name="bulksms_ledgerentry_hold_seq",
            ),
            one_of("source", (FUNDING, AVAILABLE, HELD, SPENT), "ledgerentry_source"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_micros}"

    @property
    def kind(self) -> str:
        """top-up, hold, release, capture, refund or withdrawal."""
        return MOVEMENTS[(self.source, self.target)]
