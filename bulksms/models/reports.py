"""Delivery reports, stored raw and unique before anything else happens to them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from bulksms import states
from bulksms.models.base import one_of


class Report(models.Model):
    """One report of a carrier. ``state`` is translated; ``raw`` is what was received."""

    carrier = models.CharField(max_length=40)
    #: Unique per carrier: a repeated report is stored once.
    dedupe_key = models.CharField(max_length=120)
    carrier_ref = models.CharField(max_length=120, blank=True)
    #: Our reference, when the carrier echoes it.
    reference = models.CharField(max_length=60, blank=True)
    #: A message state, or empty when the carrier's word is unknown to us or says "on its way".
    state = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=60, blank=True)
    #: "2/3" for a report of one part of its message.
    part = models.CharField(max_length=9, blank=True, default="")
    raw = models.TextField()
    status = models.CharField(max_length=10, default=states.NEW)
    #: Why it was ignored or parked, for operators.
    reason = models.CharField(max_length=60, blank=True)
    message = models.ForeignKey(
        "bulksms.Message", null=True, on_delete=models.DO_NOTHING, db_constraint=False,
        db_index=False, related_name="+",
    )  # fmt: skip
    tries = models.PositiveSmallIntegerField(default=0)
    received_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("carrier", "dedupe_key"), name="bulksms_report_dedupe"),
            one_of("status", states.REPORT_STATES, "report_status"),
        )
        indexes = (
            models.Index(fields=("id",), condition=Q(status=states.NEW), name="bulksms_report_new"),
            models.Index(
                fields=("next_try_at",),
                condition=Q(status=states.PARKED),
                name="bulksms_report_parked",
            ),
            models.Index(
                fields=("carrier", "carrier_ref"),
                condition=Q(status=states.PARKED),
                name="bulksms_report_parked_ref",
            ),
            models.Index(fields=("message",), condition=~Q(part=""), name="bulksms_report_parts"),
            models.Index(
                fields=("reference",),
                condition=Q(status=states.PARKED) & ~Q(reference=""),
                name="bulksms_report_parked_ours",
            ),
        )

    def __str__(self) -> str:
        return f"report {self.pk} of {self.carrier}"
