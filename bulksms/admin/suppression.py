"""The suppression list: numbers that get nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from bulksms.admin.base import BaseAdmin, BaseForm, masked
from bulksms.models import Organisation, Suppression
from bulksms.services import organisations, suppression
from bulksms.sms import numbers


class SuppressionForm(BaseForm[Suppression]):
    """One number, as people write it."""

    number = forms.CharField(max_length=40)

    class Meta:
        model = Suppression
        fields = ("organisation", "number", "reason")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        owner: Organisation = data.get("organisation") or organisations.house()
        found = numbers.normalise(data.get("number", ""), owner.default_region)
        if isinstance(found, numbers.Refusal):
            self.add_error("number", found.detail)
        else:
            data["number"] = found.e164
        return data


@admin.register(Suppression)
class SuppressionAdmin(BaseAdmin[Suppression]):
    list_display = ("who", "organisation", "reason", "created_at")
    list_select_related = ("organisation",)
    search_fields = ("number",)
    search_help_text = "The number, or how it begins, with its country code: 254712"
    form = SuppressionForm

    @admin.display(description="number")
    def who(self, row: Suppression) -> str:
        return masked(row.number)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add_suppression")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "delete_suppression")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        digits = "".join(c for c in search_term if c.isdigit())
        return (queryset.filter(number__startswith=digits) if digits else queryset), False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        suppression.suppress([obj.number], reason=obj.reason, organisation=obj.organisation)
        obj.pk = Suppression.objects.get(organisation=obj.organisation, number=obj.number).pk

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        suppression.lift([obj.number], organisation=obj.organisation)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        by_owner: dict[Organisation | None, list[str]] = {}
        for row in queryset.select_related("organisation"):
            by_owner.setdefault(row.organisation, []).append(row.number)
        for owner, listed in by_owner.items():
            suppression.lift(listed, organisation=owner)
