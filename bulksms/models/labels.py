"""What callers call their single messages, where the items of one request differ in it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from bulksms.models.organisations import Organisation
from bulksms.models.outbox import Campaign


class MessageLabels(models.Model):
    """Labels of one message of a campaign whose messages do not share them (kind "array").

    Not on the hot table: most messages have none. Nothing is sent or paid by them.
    """

    #: A message's id. No constraint: messages and their labels are written in one transaction.
    message_id = models.UUIDField(primary_key=True)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    #: The caller's own id of the message, unique per organisation when given.
    reference = models.CharField(max_length=255, blank=True)
    user_label = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    tags = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "message labels"
        constraints = (
            models.UniqueConstraint(
                fields=("organisation", "reference"),
                condition=~Q(reference=""),
                name="bulksms_messagelabels_reference",
            ),
        )

    def __str__(self) -> str:
        return str(self.message_id)
