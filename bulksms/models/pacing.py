"""One row per carrier: the lock under which its work is chosen, its pace and its pause."""

from __future__ import annotations

from django.db import models

from bulksms.models.base import at_least_zero


class CarrierState(models.Model):
    """Locked first by every claim. ``allowance_micro_parts`` is what may be asked right now."""

    carrier = models.CharField(max_length=40, primary_key=True)
    #: Millionths of a part, so that the refill of any time span is an exact integer.
    allowance_micro_parts = models.BigIntegerField(default=0)
    refilled_at = models.DateTimeField(null=True)
    requests_count = models.BigIntegerField(default=0)
    paused_at = models.DateTimeField(null=True)
    pause_reason = models.CharField(max_length=255, blank=True)
    #: The carrier asked to be left alone until then (429, queue full).
    slow_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (at_least_zero("requests_count", name="carrierstate_requests"),)

    def __str__(self) -> str:
        return self.carrier
