"""The stop switches: everything, one carrier, one organisation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from bulksms.admin.base import BaseAdmin, actor
from bulksms.models import CarrierState, Organisation
from bulksms.services import routing, stops

CARRIER, ORGANISATION = "carrier", "organisation"


class StopForm(forms.Form):
    """What to stop or resume, and why."""

    what = forms.ChoiceField()
    why = forms.CharField(max_length=255, required=False)
    resume = forms.BooleanField(required=False)

    def __init__(self, *args: Any, choices: list[Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["what"] = forms.ChoiceField(choices=choices)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("resume") and not data.get("why"):
            self.add_error("why", "Say why: everybody who wonders will read it.")
        return data


@admin.register(CarrierState)
class CarrierStateAdmin(BaseAdmin[CarrierState]):
    """The list is the page of switches; a carrier that was never asked has no row yet."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self.require(request, "view_carrierstate")
        choices = self._choices(request)
        form = StopForm(request.POST or None, choices=choices)
        if request.method == "POST":
            if not choices:
                raise PermissionDenied
            if form.is_valid():
                self._switch(request, form.cleaned_data)
                return redirect("admin:bulksms_carrierstate_changelist")
        return self.render(
            request, "switches.html", title="Stop switches", form=form, choices=choices,
            stopped=self._stopped(request),
        )  # fmt: skip

    def _choices(self, request: HttpRequest) -> list[Any]:
        """What this user may switch, as ``carrier:main`` or ``organisation:7``."""
        choices: list[Any] = []
        if self.allows(request, "change_carrierstate"):
            known = CarrierState.objects.values_list("carrier", flat=True)
            names = sorted({*routing.names(), *known} - {stops.EVERYTHING})
            choices = [
                (f"{CARRIER}:{stops.EVERYTHING}", "Everything"),
                ("Carriers", [(f"{CARRIER}:{name}", name) for name in names]),
            ]
        if self.allows(request, "change_organisation"):
            rows = Organisation.objects.order_by("name").values_list("pk", "name")
            listed = [(f"{ORGANISATION}:{pk}", name) for pk, name in rows]
            choices.append(("Organisations", listed))
        return choices

    def _stopped(self, request: HttpRequest) -> list[dict[str, Any]]:
        carriers = CarrierState.objects.filter(paused_at__isnull=False).order_by("carrier")
        rows = [
            {
                "what": f"{CARRIER}:{row.carrier}", "why": row.pause_reason, "since": row.paused_at,
                "name": "Everything" if row.carrier == stops.EVERYTHING else f"Carrier {row}",
                "may": self.allows(request, "change_carrierstate"),
            }
            for row in carriers
        ]  # fmt: skip
        for row in Organisation.objects.filter(is_active=False).order_by("name"):
            may = self.allows(request, "change_organisation")
            rows.append({"what": f"{ORGANISATION}:{row.pk}", "name": row.name, "may": may})
        return rows

    def _switch(self, request: HttpRequest, data: dict[str, Any]) -> None:
        kind, _, name = data["what"].partition(":")
        resume, who, why = data["resume"], actor(request), data["why"]
        if kind == ORGANISATION:
            organisation = Organisation.objects.get(pk=name)
            stops.set_active(organisation, active=resume, actor=who, why=why)
            self._note(request, organisation, resume, why)
        else:
            (stops.resume if resume else stops.stop)(name, actor=who, why=why)
            row = CarrierState.objects.filter(carrier=name).first()
            if row is not None:
                self._note(request, row, resume, why)
        self.message_user(request, "Resumed." if resume else "Stopped.", messages.SUCCESS)

    def _note(self, request: HttpRequest, row: Any, resume: bool, why: str) -> None:
        self.log_change(request, row, f"{'Resumed' if resume else 'Stopped'}. {why}".strip())
