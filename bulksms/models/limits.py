"""What a sliding window must remember to be exact: when it let each request through."""

from __future__ import annotations

from django.db import models


class RateWindow(models.Model):
    """The accepted requests of one limit and one subject. Its row lock is the limit's only lock."""

    #: ``<limit>/<subject>``: "send-bulk/12" of an organisation, "failed-authentication/<address>".
    key = models.CharField(max_length=120, primary_key=True)
    #: Microseconds since 1970 UTC, eight bytes each (little-endian), oldest first.
    hits = models.BinaryField(default=bytes)
    updated_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("updated_at",), name="bulksms_ratewindow_age"),)

    def __str__(self) -> str:
        return self.key
