"""Delivery reports, most of all those that match no message."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Max, QuerySet
from django.http import HttpRequest

from bulksms import states
from bulksms.admin.base import BaseAdmin
from bulksms.models import Report


class StatusFilter(admin.SimpleListFilter):
    """What became of reports; looks at the newest ones only: there may be millions."""

    title = "status"
    parameter_name = "status"
    NEWEST = 200_000

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, status) for status in states.REPORT_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        if not self.value():
            return queryset
        last = Report.objects.aggregate(last=Max("pk"))["last"] or 0
        return queryset.filter(status=self.value(), pk__gt=last - self.NEWEST)


@admin.register(Report)
class ReportAdmin(BaseAdmin[Report]):
    list_display = (
        "id", "carrier", "state", "code", "status", "reason", "carrier_ref", "received_at",
    )  # fmt: skip
    list_filter = (StatusFilter,)
    search_fields = ("id",)
    search_help_text = "The report's number here; parked ones also by the carrier's reference"
    raw_id_fields = ("message",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Report], search_term: str
    ) -> tuple[QuerySet[Report], bool]:
        term = search_term.strip()
        if term.isdecimal() and len(term) < 18:
            return queryset.filter(pk=int(term)), False
        if term:
            parked = queryset.filter(status=states.PARKED)
            carriers = parked.values_list("carrier", flat=True).distinct()
            queryset = parked.filter(carrier__in=list(carriers), carrier_ref=term)
        return queryset, False
