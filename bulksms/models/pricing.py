"""What an SMS part costs: rates by number prefix, with their history."""

from __future__ import annotations

from django.db import models

from bulksms.models.base import AppendOnlyModel, CreatedModel, at_least_zero
from bulksms.models.organisations import Organisation


class Rate(AppendOnlyModel, CreatedModel):
    """Price of one unit to numbers that start with ``prefix``, from ``effective_from`` on.

    An organisation's own rates win over the default ones (no organisation) whatever their prefix;
    among its own, or among the default ones, the longest prefix wins; of several with that prefix
    the newest that is effective. Rows are added, never changed: that is the history.
    """

    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.CASCADE, related_name="rates"
    )
    #: E.164 digits that the number starts with; empty = every number.
    prefix = models.CharField(max_length=15, blank=True)
    currency = models.CharField(max_length=3)
    price_micros = models.BigIntegerField()
    effective_from = models.DateTimeField()

    class Meta:
        constraints = (
            at_least_zero("price_micros", name="rate_price"),
            models.UniqueConstraint(
                fields=("organisation", "prefix", "currency", "effective_from"),
                name="bulksms_rate_unique",
            ),
            models.UniqueConstraint(
                fields=("prefix", "currency", "effective_from"),
                condition=models.Q(organisation=None),
                name="bulksms_rate_default_unique",
            ),
            models.CheckConstraint(condition=~models.Q(currency=""), name="bulksms_rate_currency"),
        )

    def __str__(self) -> str:
        return f"+{self.prefix}: {self.currency} {self.price_micros} micros"
