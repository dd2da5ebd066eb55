"""Rates: the history of all cards, and importing a CSV with a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from bulksms import money
from bulksms.admin.base import BaseAdmin
from bulksms.models import Rate
from bulksms.services import rates
from bulksms.services.rates import Imported, InvalidRates

SALT = "bulksms.rates"
SHOWN = 100
#: Larger ones are for ``manage.py bulksms_rates import``.
MAX_BYTES = 1_000_000


class ImportForm(forms.Form):
    """A CSV file, or its lines."""

    file = forms.FileField(required=False, label="CSV file")
    lines = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        file: Any = data.get("file")
        if file is not None and (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError("At most 1 MB here; use bulksms_rates for more.")
        raw = file.read() if file is not None else (data.get("lines") or "").encode()
        try:
            data["csv"] = raw.decode()
        except UnicodeDecodeError:
            raise forms.ValidationError("This is no CSV in UTF-8.") from None
        if not data["csv"].strip():
            raise forms.ValidationError("Choose a file or paste its lines.")
        return data


@admin.register(Rate)
class RateAdmin(BaseAdmin[Rate]):
    list_display = (
        "card", "shown_prefix", "price", "effective_from", "created_at",
    )  # fmt: skip
    list_select_related = ("organisation",)
    search_fields = ("prefix__startswith", "organisation__slug")
    search_help_text = "How the numbers begin, or an organisation's slug"
    change_list_template = "bulksms/admin/rate_list.html"

    @admin.display(description="card")
    def card(self, row: Rate) -> str:
        return str(row.organisation or "default")

    @admin.display(description="prefix")
    def shown_prefix(self, row: Rate) -> str:
        return f"+{row.prefix}"

    @admin.display(description="price per part")
    def price(self, row: Rate) -> str:
        return money.sentence(row.price_micros, row.currency)

    def get_urls(self) -> list[Any]:
        return [self.address("import/", self.import_view, "import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Upload, look at what would change, confirm. All or nothing."""
        self.require(request, "add_rate")
        if "confirmed" in request.POST:
            return self._confirm(request)
        form = ImportForm(request.POST or None, request.FILES or None)
        found: Imported | None = None
        faults: tuple[Any, ...] = ()
        signed = ""
        if request.method == "POST" and form.is_valid():
            text = form.cleaned_data["csv"]
            try:
                found = rates.import_csv(text.splitlines(keepends=True), dry_run=True)
                signed = signing.dumps(text, salt=SALT, compress=True)
            except InvalidRates as error:
                faults = error.errors
        added = found.added if found else []
        return self.render(
            request, "rate_import.html", title="Import rates", form=form, found=found,
            faults=faults[:SHOWN], fault_count=len(faults), signed=signed,
            columns=",".join(rates.COLUMNS), more=max(0, len(added) - SHOWN),
            added=[(new, money.sentence(new.price_micros, new.currency)) for new in added[:SHOWN]],
        )  # fmt: skip

    def _confirm(self, request: HttpRequest) -> HttpResponse:
        try:
            text = signing.loads(request.POST["confirmed"], salt=SALT, max_age=3600)
        except signing.BadSignature:
            self.message_user(request, "The preview is too old. Look again.", messages.ERROR)
            return redirect("admin:bulksms_rate_import")
        lines = text.splitlines(keepends=True)
        found = self.attempt(request, lambda: rates.import_csv(lines))
        if found is not None:
            said = f"{len(found.added)} rate(s) added, {found.unchanged} there already."
            for row in Rate.objects.order_by("-pk")[: 1 if found.added else 0]:
                self.log_addition(request, row, f"Import: {said}")
            self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:bulksms_rate_changelist")
