"""Leases: who does a thing that only one process should do at a time."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """``owner`` may do ``name`` until ``until_at``; then anybody may take it over."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.CharField(max_length=80, blank=True)
    until_at = models.DateTimeField()
    beaten_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
