"""Choosing a carrier's work: one row per carrier (lock, pace, pause), and what each tenant got."""

from __future__ import annotations

from django.db import models

from bulksms.models.base import at_least_zero, one_of
from bulksms.models.organisations import Organisation
from bulksms.models.outbox import NORMAL, PRIORITIES


class CarrierState(models.Model):
    """Locked first by every claim. ``allowance_micro_parts`` is what may be asked right now."""

    carrier = models.CharField(max_length=40, primary_key=True)
    #: Millionths of a part, so that the refill of any time span is an exact integer. Below zero
    #: after a message that was longer than what was left.
    allowance_micro_parts = models.BigIntegerField(default=0)
    refilled_at = models.DateTimeField(null=True)
    #: A nudge is on its way for then, so that nobody plans a second one.
    waking_at = models.DateTimeField(null=True)
    #: Parts of a message, as the last request had them on average (rounded up).
    usual_parts = models.PositiveSmallIntegerField(default=1)
    requests_count = models.BigIntegerField(default=0)
    #: Requests in a row that high priority led while normal was waiting.
    high_in_a_row = models.PositiveSmallIntegerField(default=0)
    #: Per lane: how many parts the least served of the busy organisations has had. Who comes back
    #: from idle starts there and not at zero.
    fair_parts = models.BigIntegerField(default=0)
    fair_high_parts = models.BigIntegerField(default=0)
    paused_at = models.DateTimeField(null=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    #: The carrier asked to be left alone until then (429, queue full), or could not be reached.
    slow_until = models.DateTimeField(null=True)
    #: How often in a row that happened: each time it is left alone for longer.
    strikes = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = (at_least_zero("requests_count", name="carrierstate_requests"),)

    def __str__(self) -> str:
        return self.carrier


class Share(models.Model):
    """What an organisation was served of a carrier's lane, in parts: the least served is next."""

    carrier = models.CharField(max_length=40)
    priority = models.CharField(max_length=8, default=NORMAL)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, db_index=False)
    served_parts = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("carrier", "priority", "organisation"), name="bulksms_share_unique"
            ),
            one_of("priority", PRIORITIES, "share_priority"),
            at_least_zero("served_parts", name="share_served"),
        )

    def __str__(self) -> str:
        return f"{self.organisation_id} of {self.carrier}"
