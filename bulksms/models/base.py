"""What several models share."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from model_utils.fields import AutoCreatedField

from bulksms import clock


class CreatedModel(models.Model):
    """Has ``created_at``, read from our clock (model_utils' own default reads the system's)."""

    created_at = AutoCreatedField(default=clock.now)

    class Meta:
        abstract = True


def one_of(field: str, values: Iterable[str], name: str) -> models.CheckConstraint:
    """A CHECK that ``field`` holds one of ``values``."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__in": sorted(values)}), name=f"bulksms_{name}"
    )


def at_least_zero(*names: str, name: str) -> models.CheckConstraint:
    """A CHECK that none of the columns ``names`` is negative."""
    condition = models.Q()
    for column in names:
        condition &= models.Q(**{f"{column}__gte": 0})
    return models.CheckConstraint(condition=condition, name=f"bulksms_{name}")
