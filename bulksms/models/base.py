"""What several models share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from django.db import models
from model_utils.fields import AutoCreatedField

from bulksms import clock
from bulksms.exceptions import AppendOnly

_M = TypeVar("_M", bound=models.Model)


class CreatedModel(models.Model):
    """Has ``created_at``, read from our clock (model_utils' own default reads the system's)."""

    created_at = AutoCreatedField(default=clock.now)

    class Meta:
        abstract = True


class AppendOnlyQuerySet(models.QuerySet[_M]):
    """Rows may be added and read."""

    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_create(self, *args: Any, **options: Any) -> list[_M]:
        if options.get("update_conflicts"):
            raise AppendOnly
        return super().bulk_create(*args, **options)


class AppendOnlyModel(models.Model):
    """A row that is written once: changing or deleting it through the ORM raises AppendOnly."""

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """Insert the row. Forced: with a known key Django would try an UPDATE first."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **{**options, "force_insert": True})

    def delete(self, *_args: Any, **_options: Any) -> NoReturn:
        raise AppendOnly


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
