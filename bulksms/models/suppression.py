"""Numbers that get no messages: who asked for it, why, since when."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from bulksms.models.base import CreatedModel
from bulksms.models.organisations import Organisation


class Suppression(CreatedModel):
    """``number`` gets nothing from ``organisation``; with no organisation, from nobody."""

    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="suppressions"
    )
    #: E.164 digits.
    number = models.CharField(max_length=15)
    reason = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "number"), name="bulksms_suppression_unique"
            ),
            models.UniqueConstraint(
                fields=("number",),
                condition=Q(organisation=None),
                name="bulksms_suppression_everybody",
            ),
        )
        indexes = (models.Index(fields=("number",), name="bulksms_suppression_number"),)

    def __str__(self) -> str:
        return f"suppression {self.pk}"
