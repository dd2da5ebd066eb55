"""Who did what: decisions of operators, and every click in this admin (LogEntry)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest, HttpResponse

from bulksms.admin.base import BaseAdmin
from bulksms.models import Decision

CLICKS = 200


@admin.register(Decision)
class DecisionAdmin(BaseAdmin[Decision]):
    list_display = ("created_at", "actor", "action", "why", "rows_count")
    search_fields = ("actor", "action__startswith")
    change_list_template = "bulksms/admin/decision_list.html"

    def get_urls(self) -> list[Any]:
        return [self.address("clicks/", self.clicks, "clicks"), *super().get_urls()]

    def clicks(self, request: HttpRequest) -> HttpResponse:
        """The newest entries of Django's own log about things of this app."""
        self.require(request, "view_decision")
        rows = LogEntry.objects.filter(content_type__app_label="bulksms")
        newest = rows.select_related("user", "content_type").order_by("-pk")[:CLICKS]
        return self.render(request, "clicks.html", title="Who did what here", rows=newest)
