"""What operators decided by hand: who, what, why, about how many rows. Append-only."""

from __future__ import annotations

from django.db import models

from bulksms.models.base import AppendOnlyModel, CreatedModel


class Decision(CreatedModel, AppendOnlyModel):
    """One decision, e.g. that unknown messages of a campaign were not accepted."""

    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=40)
    why = models.CharField(max_length=255)
    #: What it was about: ids of a campaign, of messages, a carrier.
    scope = models.JSONField(default=dict)
    rows_count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"
