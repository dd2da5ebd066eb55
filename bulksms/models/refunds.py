"""Refunds to come: captured money that goes back when its waiting time is over."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Refund(models.Model):
    """One attempt of a message that a carrier's refund table gives the money back for.

    Written when the message ends, paid at ``due_at``, removed if the carrier says "delivered"
    before. A table of its own, so that the hot message table needs no column and no index for it;
    its foreign keys have no constraint for the same reason as the message's.
    """

    message = models.ForeignKey(
        "bulksms.Message", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False,
        related_name="+",
    )  # fmt: skip
    attempt = models.PositiveSmallIntegerField()
    hold = models.ForeignKey(
        "bulksms.Hold", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False,
        related_name="+",
    )  # fmt: skip
    amount_micros = models.BigIntegerField()
    due_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("message", "attempt"), name="bulksms_refund_unique"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0), name="bulksms_refund_positive"
            ),
        )
        indexes = (
            models.Index(
                fields=("due_at",), condition=Q(paid_at=None), name="bulksms_refund_waiting"
            ),
        )

    def __str__(self) -> str:
        return f"refund of {self.message_id} attempt {self.attempt}"
