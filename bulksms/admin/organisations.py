"""Organisations: who there is, and adding one. They are stopped with the stop switches."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from bulksms.admin.base import BaseAdmin, BaseForm, reasons
from bulksms.exceptions import InvalidRequest
from bulksms.models import Organisation
from bulksms.services import organisations


class OrganisationForm(BaseForm[Organisation]):
    """Adds an organisation with its wallet."""

    currency = forms.CharField(max_length=3, initial="KES", help_text="Of its wallet; for good.")

    class Meta:
        model = Organisation
        fields = ("name", "slug", "default_region", "time_zone")

    def _post_clean(self) -> None:
        """The service finds more faults than a form; it is called when all else is right."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        data = self.cleaned_data
        try:
            self.made = organisations.create(
                name=data["name"], slug=data["slug"], currency=data["currency"],
                region=data["default_region"], time_zone=data["time_zone"],
            )  # fmt: skip
        except InvalidRequest as error:
            self.add_error(None, reasons(error))


@admin.register(Organisation)
class OrganisationAdmin(BaseAdmin[Organisation]):
    list_display = (
        "name", "slug", "mode", "is_active", "default_region", "created_at",
    )  # fmt: skip
    search_fields = ("slug__istartswith", "name__istartswith")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add_organisation")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> type[forms.ModelForm[Organisation]]:
        if obj is None:
            return OrganisationForm
        return super().get_form(request, obj, change, **options)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Organisation:
        made: Organisation = form.made
        return made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service has saved it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""
