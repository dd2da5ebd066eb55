"""Messages: found by number or id, one message's whole story, and unknown ones resolved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from bulksms import clock, conf, ids, money, states
from bulksms.admin.base import BaseAdmin, actor, masked
from bulksms.models import Campaign, Message
from bulksms.services import resolving, routing, stories
from bulksms.sms import numbers

#: A search by number reads this many days, unless a campaign or another time is chosen.
DAYS = 30
#: Resolved at once.
MOST = 10_000


class SinceFilter(admin.SimpleListFilter):
    """When it was accepted: ids begin with the time, so this is a range of the primary key."""

    title = "accepted in the last"
    parameter_name = "days"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "day"), ("7", "7 days"), ("30", "30 days"), ("3650", "10 years")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        value = self.value()
        if value is None or not value.isdecimal():
            return queryset
        return since(queryset, int(value[:5]))


class StateFilter(admin.SimpleListFilter):
    """Within a campaign every state; over all of them only those that wait for a decision."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        listed = states.MESSAGE_STATES if "campaign" in request.GET else (states.UNKNOWN,)
        return [(state, state) for state in listed]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        if not self.value():
            return queryset
        found = queryset.filter(status=self.value())
        if "campaign" in request.GET:
            return found
        # No index knows the state of a message; a campaign knows that it has unknown ones.
        open_ = Campaign.objects.filter(finished_at=None, unknown_count__gt=0)
        return found.filter(campaign__in=list(open_.values_list("pk", flat=True)[:1_000]))


class ResolveForm(forms.Form):
    """What became of them, and why somebody thinks so."""

    outcome = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[
            (resolving.ACCEPTED, "The carrier has accepted them: paid for, a report is awaited"),
            (resolving.NOT_ACCEPTED, "Not accepted: failed, the money goes back"),
            (resolving.DELIVERED, "Delivered"),
            (resolving.RESEND, "Send again: a recipient may get it twice"),
        ],
    )
    why = forms.CharField(max_length=255, help_text="For the log of decisions.")


@admin.register(Message)
class MessageAdmin(BaseAdmin[Message]):
    list_display = (
        "id", "who", "status", "error", "organisation", "carrier", "units", "cost", "accepted_at",
    )  # fmt: skip
    list_select_related = ("organisation", "campaign")
    list_filter = (SinceFilter, StateFilter)
    search_fields = ("id",)
    search_help_text = (
        "A number or how it begins (of the last 30 days), a message's or campaign's id, a"
        " carrier's reference"
    )
    actions = ("resolve",)

    @admin.display(description="number")
    def who(self, row: Message) -> str:
        return masked(row.number)

    @admin.display(description="cost")
    def cost(self, row: Message) -> str:
        return money.sentence(row.cost_micros, row.campaign.currency)

    @admin.display(description="accepted at")
    def accepted_at(self, row: Message) -> dt.datetime:
        campaign: Campaign = row.campaign
        return campaign.created_at

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "campaign" or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return self._by_text(request, queryset, term), False
        campaign = Campaign.objects.filter(pk=wanted).exists()
        return queryset.filter(**{"campaign" if campaign else "pk": wanted}), False

    def _by_text(
        self, request: HttpRequest, queryset: QuerySet[Message], term: str
    ) -> QuerySet[Message]:
        digits = term.removeprefix("+").replace(" ", "")
        if not digits.isdecimal():
            return queryset.filter(carrier__in=routing.names(), carrier_ref=term)
        found = numbers.normalise(term, conf.house()["region"])
        if isinstance(found, numbers.Number):
            queryset = queryset.filter(number=found.e164)
        else:
            queryset = queryset.filter(number__startswith=digits)
        narrowed = {"campaign", SinceFilter.parameter_name} & set(request.GET)
        return queryset if narrowed else since(queryset, DAYS)

    # One message

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        message = self.find(request, object_id)
        story = stories.tell(message)
        return self.render(
            request, "message.html", title="The story of a message", message=message, story=story,
            may_resolve=message.status == states.UNKNOWN and self.has_resolve_permission(request),
        )  # fmt: skip

    # Unknown ones

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "change_message")

    @admin.action(permissions=["resolve"], description="Resolve unknown messages…")
    def resolve(self, request: HttpRequest, rows: QuerySet[Message]) -> HttpResponse | None:
        """Ask what became of them; with an answer, carry it out."""
        found = list(rows.values_list("pk", flat=True)[:MOST])
        unknown = resolving.unknown_messages(message_ids=found)
        form = ResolveForm(request.POST if "outcome" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, form, found, unknown)
        outcome, why = form.cleaned_data["outcome"], form.cleaned_data["why"]
        named = list(unknown[:MOST])
        moved = self.attempt(
            request, lambda: resolving.decide(unknown, outcome, actor=actor(request), why=why)
        )
        if moved is not None:
            self._log(request, named, f"Resolved as {outcome}: {why}")
            self.message_user(request, f"{moved} message(s): {outcome}.", messages.SUCCESS)
        return None

    def _ask(
        self, request: HttpRequest, form: ResolveForm, found: Sequence[UUID],
        unknown: QuerySet[Message],
    ) -> HttpResponse:  # fmt: skip
        listed = list(unknown.select_related("organisation")[:100])
        return self.render(
            request, "resolve.html", title="Resolve unknown messages", form=form, found=found,
            unknown=[(row, masked(row.number)) for row in listed], count=unknown.count(),
            checkbox=ACTION_CHECKBOX_NAME, back=reverse("admin:bulksms_message_changelist"),
        )  # fmt: skip

    def _log(self, request: HttpRequest, rows: Sequence[Message], text: str) -> None:
        """A few by name; all of them are in the Decision."""
        for row in rows[:20]:
            self.log_change(request, row, text)


def since(rows: QuerySet[Message], days: int) -> QuerySet[Message]:
    """Those that were accepted in the last ``days`` days."""
    return rows.filter(id__gte=ids.first_at(clock.now() - dt.timedelta(days=days)))
