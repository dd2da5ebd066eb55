"""Campaigns: progress, counts, cost; pause, resume, cancel, retry; the messages as CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bulksms import money, states
from bulksms.admin import compose, dashboard, exports
from bulksms.admin.base import BaseAdmin
from bulksms.models import Campaign, Hold, Organisation, Run
from bulksms.services import control, retrying
from bulksms.services.control import Changed

#: What is held or captured for a campaign, refunds taken off.
_COST = (
    Hold.objects.filter(campaign=OuterRef("pk"))
    .values("campaign")
    .annotate(cost=Sum(F("held_micros") - F("released_micros") - F("refunded_micros")))
    .values("cost")
)

Deed = Callable[[Organisation, Any], Changed]
DEEDS: dict[str, tuple[Deed, str]] = {
    "pause": (control.pause, "Paused"),
    "resume": (control.resume, "Resumed"),
    "cancel": (control.cancel, "Cancelled"),
}


def shares(row: Campaign) -> list[tuple[str, int, float]]:
    """Delivered, ended otherwise, unknown and open: (name, messages, percent)."""
    total = max(row.recipients_count, 1)
    ended = row.done_count - row.delivered_count
    open_ = row.recipients_count - row.done_count - row.unknown_count
    counts = (
        ("delivered", row.delivered_count), ("ended", ended), ("unknown", row.unknown_count),
        ("open", open_),
    )  # fmt: skip
    return [(name, count, round(100 * count / total, 2)) for name, count in counts]


@admin.register(Campaign)
class CampaignAdmin(BaseAdmin[Campaign]):
    list_display = (
        "id", "organisation", "status", "progress", "recipients_count", "sent_count",
        "delivered_count", "cost", "created_at",
    )  # fmt: skip
    list_select_related = ("organisation",)
    search_fields = ("id", "reference", "organisation__slug")
    search_help_text = "A campaign's id or reference, or an organisation's slug"
    actions = ("pause", "resume", "cancel")
    change_list_template = "bulksms/admin/campaign_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).annotate(cost_micros=Subquery(_COST))

    @admin.display(description="progress")
    def progress(self, row: Campaign) -> SafeString:
        delivered, ended, unknown, _ = shares(row)
        return format_html(
            '<span class="bulksms-bar" title="{} of {} done">'
            '<i class="delivered" style="width:{}%"></i><i class="ended" style="width:{}%"></i>'
            '<i class="unknown" style="width:{}%"></i></span>',
            row.done_count, row.recipients_count, delivered[2], ended[2], unknown[2],
        )  # fmt: skip

    @admin.display(description="cost")
    def cost(self, row: Campaign) -> str:
        return money.sentence(getattr(row, "cost_micros", None) or 0, row.currency)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Campaign], search_term: str
    ) -> tuple[QuerySet[Campaign], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if compose.is_uuid(term):
            return queryset.filter(pk=term), False
        owners = list(Organisation.objects.filter(slug=term).values_list("pk", flat=True))
        if owners:
            return queryset.filter(organisation__in=owners), False
        every = list(Organisation.objects.values_list("pk", flat=True)[:1_000])
        return queryset.filter(organisation__in=every, reference=term), False

    def get_urls(self) -> list[Any]:
        return [
            self.address("dashboard/", self.dashboard_view, "dashboard"),
            self.fragment("dashboard/<slug:part>/", self.dashboard_view, "dashboard_part"),
            self.fragment("<uuid:object_id>/progress/", self.progress_view, "progress"),
            self.address("<uuid:object_id>/messages.csv", self.csv_view, "csv"),
            self.address("<uuid:object_id>/retry/", self.retry_view, "retry"),
            self.address("<uuid:object_id>/<slug:deed>/do/", self.deed_view, "deed"),
            *super().get_urls(),
        ]

    # Composing one

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add_campaign")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        self.require(request, "add_campaign")
        return compose.view(self, request)

    # Looking at one

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.find(request, object_id)
        may = self.has_control_permission(request)
        return self.render(
            request, "campaign.html", title=f"Campaign {row.name or row.pk}", campaign=row,
            **self._figures(row), may_control=may,
            may_retry=may and self.allows(request, "add_campaign"),
            may_export=self.allows(request, "view_message"),
            is_paused=row.status == states.PAUSED,
            is_waiting=bool(row.queued_count + row.sending_count),
        )  # fmt: skip

    def progress_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """What changes while a campaign is under way, for polling."""
        row = self.find(request, str(object_id))
        figures = {**self._figures(row), "campaign": row}
        return self.render(request, "campaign_progress.html", title="", **figures)

    def _figures(self, row: Campaign) -> dict[str, Any]:
        counts = [(state, getattr(row, column)) for state, column in states.COUNTERS.items()]
        return {
            "counts": counts,
            "shares": shares(row),
            "cost": self.cost(row),
            "runs": list(Run.objects.filter(campaign=row).order_by("carrier")),
            "holds": [_hold(hold) for hold in Hold.objects.filter(campaign=row).order_by("round")],
        }

    # Controlling it

    def has_control_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "change_campaign")

    def deed_view(self, request: HttpRequest, object_id: Any, deed: str) -> HttpResponse:
        """POST: pause, resume or cancel."""
        row = self.find(request, str(object_id))
        if not self.has_control_permission(request):
            self.require(request, "change_campaign")
        if request.method == "POST" and deed in DEEDS:
            self._do(request, row, deed)
        return self.back_to(row)

    def _do(self, request: HttpRequest, row: Campaign, deed: str) -> None:
        act, said = DEEDS[deed]
        changed = self.attempt(request, lambda: act(row.organisation, row.pk))
        if changed is None:
            return
        self.log_change(request, row, f"{said}: {changed.changed} messages.")
        more = f", {changed.remaining} more will follow" if changed.remaining else ""
        gone = f"; {changed.gone} had left before" if changed.gone else ""
        self.message_user(
            request, f"{said}: {changed.changed} messages{more}{gone}.", messages.SUCCESS
        )

    def _do_all(self, request: HttpRequest, rows: QuerySet[Campaign], deed: str) -> None:
        for row in rows.select_related("organisation")[:100]:
            self._do(request, row, deed)

    @admin.action(permissions=["control"], description="Pause")
    def pause(self, request: HttpRequest, rows: QuerySet[Campaign]) -> None:
        self._do_all(request, rows, "pause")

    @admin.action(permissions=["control"], description="Resume")
    def resume(self, request: HttpRequest, rows: QuerySet[Campaign]) -> None:
        self._do_all(request, rows, "resume")

    @admin.action(permissions=["control"], description="Cancel what was not sent yet")
    def cancel(self, request: HttpRequest, rows: QuerySet[Campaign]) -> None:
        self._do_all(request, rows, "cancel")

    def retry_view(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """POST: what a retry would do and cost; with ``confirmed``, do it."""
        row = self.find(request, str(object_id))
        self.require(request, "change_campaign")
        self.require(request, "add_campaign")
        if request.method != "POST":
            return self.back_to(row)
        real = "confirmed" in request.POST
        done = self.attempt(
            request,
            lambda: retrying.retry(row.organisation, row.pk, retrying.Wanted(), dry_run=not real),
        )
        if done is None:
            return self.back_to(row)
        cost = money.sentence(done.cost_micros, row.currency)
        if real:
            said = f"{done.queued} messages are queued again for {cost}."
            self.log_change(request, row, f"Retry: {said}")
            self.message_user(request, said, messages.SUCCESS)
            return self.back_to(row)
        return self.render(
            request, "retry.html", title="Retry what did not arrive", campaign=row, retried=done,
            cost=cost, refused=exports.refused(done.rows),
        )  # fmt: skip

    # Its messages

    def csv_view(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        row = self.find(request, str(object_id))
        self.require(request, "view_message")
        response = StreamingHttpResponse(
            exports.campaign_csv(row), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="campaign-{row.pk}.csv"'
        self.log_change(request, row, "Messages downloaded as CSV.")
        return response

    # The dashboard

    def dashboard_view(self, request: HttpRequest, part: str = "") -> HttpResponse:
        if not self.has_view_permission(request):
            self.require(request, "view_campaign")
        found = dashboard.context(part, money=self.allows(request, "view_wallet"))
        if found is None:
            return redirect("admin:bulksms_campaign_dashboard")
        template = f"dashboard_{part}.html" if part else "dashboard.html"
        return self.render(request, template, title="Dashboard", **found)


def _hold(hold: Hold) -> dict[str, Any]:
    names = ("held", "captured", "released", "refunded")
    return {
        "row": hold, **{name: money.amount(getattr(hold, f"{name}_micros")) for name in names}
    }  # fmt: skip
