"""Keys by which a repeated request is known: the same key means the same request, once."""

from __future__ import annotations

from django.db import models

from bulksms.models.base import CreatedModel
from bulksms.models.organisations import Organisation
from bulksms.models.outbox import Campaign


class IdempotencyKey(CreatedModel):
    """Written first in the transaction of the request that it names."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    #: SHA-256 of what was asked for: the same key with another request is an error.
    request_sha256 = models.CharField(max_length=64)
    #: What it made; its answer is rendered again from the campaign's rows.
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.CASCADE, related_name="+")
    #: The answer itself, of a request that made no campaign (a cancellation, say): status and body.
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "key"), name="bulksms_idempotencykey_unique"
            ),
        )
        indexes = (models.Index(fields=("created_at",), name="bulksms_idempotencykey_age"),)

    def __str__(self) -> str:
        return f"key {self.pk}"
