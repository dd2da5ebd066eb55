"""Money: wallets, holds and the append-only ledger, in integer micros (1 KES = 1_000_000)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models import F, Q

from bulksms.models.base import AppendOnlyModel, CreatedModel, at_least_zero, one_of
from bulksms.models.organisations import Organisation

# The accounts between which money moves. Funding and adjustment are the world outside.
FUNDING = "funding"
ADJUSTMENT = "adjustment"
AVAILABLE = "available"
OWED = "owed"
HELD = "held"
SPENT = "spent"

ACCOUNTS = (FUNDING, ADJUSTMENT, AVAILABLE, OWED, HELD, SPENT)

#: (source, target) -> what the movement is called.
MOVEMENTS = {
    (FUNDING, AVAILABLE): "top-up",
    (AVAILABLE, FUNDING): "reversal",
    (ADJUSTMENT, AVAILABLE): "adjustment",
    (AVAILABLE, ADJUSTMENT): "adjustment",
    # What a reversal could not find is lent first, so that the reversal is one whole movement.
    (OWED, AVAILABLE): "debt",
    (AVAILABLE, OWED): "debt-payment",
    (AVAILABLE, HELD): "hold",
    (HELD, AVAILABLE): "release",
    (HELD, SPENT): "capture",
    (SPENT, AVAILABLE): "refund",
}
#: Movements by what they must carry.
OF_A_HOLD = ((AVAILABLE, HELD), (HELD, AVAILABLE), (HELD, SPENT), (SPENT, AVAILABLE))
OF_A_DEBT = ((OWED, AVAILABLE), (AVAILABLE, OWED))


class Wallet(CreatedModel):
    """An organisation's prepaid money in one currency that never changes.

    ``available_micros`` may go down to ``-credit_limit_micros`` (null = unlimited credit). What is
    held is no column: it is the sum of the open holds, so that a capture never touches this row.
    While anything is owed, nothing is held; whatever comes in pays it first. The two settings are
    here and not on the organisation because they are money in this currency and are read under
    this row's lock.
    """

    organisation = models.OneToOneField(
        Organisation, on_delete=models.PROTECT, related_name="wallet"
    )
    currency = models.CharField(max_length=3)
    available_micros = models.BigIntegerField(default=0)
    credit_limit_micros = models.BigIntegerField(null=True, blank=True, default=0)
    #: Reversed top-ups whose money was gone.
    owed_micros = models.BigIntegerField(default=0)
    #: The most that may be held (less what is released again) on one day of the organisation's.
    daily_spend_cap_micros = models.BigIntegerField(null=True, blank=True)
    #: ``signals.low_balance`` is sent when ``available_micros`` falls below this.
    low_balance_micros = models.BigIntegerField(null=True, blank=True)
    #: The last (wallet, seq) of the ledger: movements of ``available`` are numbered without a gap.
    last_seq = models.BigIntegerField(default=0)
    #: The last day on which rows were stored that nobody paid for, and how many.
    unfunded_on = models.DateField(null=True, blank=True, editable=False)
    unfunded_count = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        permissions = (
            ("top_up_wallet", "Can credit payments to wallets"),
            ("adjust_wallet", "Can adjust balances of wallets"),
        )
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
            models.CheckConstraint(
                condition=Q(daily_spend_cap_micros=None) | Q(daily_spend_cap_micros__gte=0),
                name="bulksms_wallet_cap",
            ),
            at_least_zero("owed_micros", "last_seq", name="wallet_owed"),
            models.CheckConstraint(condition=~Q(currency=""), name="bulksms_wallet_currency"),
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
    #: What its rows came to, written when retention deletes them: their price, and what of it was
    #: captured, released and refunded. Null while the rows are there.
    rows_price_micros = models.BigIntegerField(null=True)
    rows_captured_micros = models.BigIntegerField(null=True)
    rows_released_micros = models.BigIntegerField(null=True)
    rows_refunded_micros = models.BigIntegerField(null=True)

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
            models.CheckConstraint(
                condition=Q(closed_at=None)
                | Q(held_micros=F("captured_micros") + F("released_micros")),
                name="bulksms_hold_closed_is_empty",
            ),
            models.UniqueConstraint(fields=("campaign", "round"), name="bulksms_hold_round"),
        )  # fmt: skip
        indexes = (
            models.Index(fields=("wallet",), condition=Q(closed_at=None), name="bulksms_hold_open"),
            # The holds of one day, for the spend cap.
            models.Index(fields=("wallet", "created_at"), name="bulksms_hold_day"),
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


def _only(pairs: Sequence[tuple[str, str]], column: str, name: str) -> models.CheckConstraint:
    """A CHECK that ``column`` is set in these movements, and in no others."""
    those, is_null = _movement(*pairs), f"{column}__isnull"
    condition = Q(those, **{is_null: False}) | Q(~those, **{is_null: True})
    return models.CheckConstraint(condition=condition, name=name)


class LedgerEntry(AppendOnlyModel):
    """One movement of money; never changed, never deleted.

    The ORM refuses it (AppendOnly), PostgreSQL also by a trigger. All movements but captures move
    ``available``: they are numbered ``seq`` = 1, 2, 3, ... per wallet and say what was available
    after them. Captures are numbered ``hold_seq`` = 1, 2, 3, ... per hold.
    """

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
    #: What is owed after a debt or a debt payment.
    owed_after_micros = models.BigIntegerField(null=True)
    hold_seq = models.BigIntegerField(null=True)
    #: The top-up that a reversal takes back.
    reverses = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
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
                    seq=None, available_after_micros=None, hold_seq__gt=0, hold_seq__isnull=False,
                )
                | Q(
                    ~_movement((HELD, SPENT)),
                    seq__gt=0, seq__isnull=False, available_after_micros__isnull=False,
                    hold_seq=None,
                ),
                name="bulksms_ledgerentry_chain",
            ),
            _only(OF_A_HOLD, "hold", "bulksms_ledgerentry_hold"),
            _only(OF_A_DEBT, "owed_after_micros", "bulksms_ledgerentry_owed"),
            _only(((AVAILABLE, FUNDING),), "reverses", "bulksms_ledgerentry_reverses"),
            at_least_zero("owed_after_micros", name="ledgerentry_owed_amount"),
            models.CheckConstraint(condition=~Q(key=""), name="bulksms_ledgerentry_has_key"),
            models.UniqueConstraint(fields=("wallet", "key"), name="bulksms_ledgerentry_key"),
            models.UniqueConstraint(
                fields=("wallet", "seq"), condition=Q(seq__isnull=False),
                name="bulksms_ledgerentry_seq",
            ),
            models.UniqueConstraint(
                fields=("hold", "hold_seq"), condition=Q(hold_seq__isnull=False),
                name="bulksms_ledgerentry_hold_seq",
            ),
            # One payment credits one wallet, once; and is taken back once.
            models.UniqueConstraint(
                fields=("key",), condition=Q(source=FUNDING, target=AVAILABLE),
                name="bulksms_ledgerentry_payment",
            ),
            models.UniqueConstraint(
                fields=("reverses",), condition=Q(reverses__isnull=False),
                name="bulksms_ledgerentry_reversed_once",
            ),
            one_of("source", ACCOUNTS, "ledgerentry_source"),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_micros}"

    @property
    def kind(self) -> str:
        """What the movement is called: one of the values of ``MOVEMENTS``."""
        return MOVEMENTS[(self.source, self.target)]
