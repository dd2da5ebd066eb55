"""API keys: made, rotated, revoked. A key is shown once, on the page that answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.cache import add_never_cache_headers

from bulksms import clock
from bulksms.admin.base import BaseAdmin, BaseForm
from bulksms.models import ApiKey
from bulksms.services import keys


class ApiKeyForm(BaseForm[ApiKey]):
    """What a new key may do, and for how long."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in keys.SCOPES],
        initial=list(keys.DEFAULT_SCOPES),
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("organisation", "name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(BaseAdmin[ApiKey]):
    list_display = (
        "__str__", "organisation", "name", "may", "state", "last_used_at", "created_at",
    )  # fmt: skip
    list_select_related = ("organisation",)
    search_fields = ("prefix", "organisation__slug")
    exclude = ("secret_sha256",)
    actions = ("revoke",)
    change_form_template = "bulksms/admin/key.html"

    @admin.display(description="may")
    def may(self, row: ApiKey) -> str:
        return " ".join(row.scopes)

    @admin.display(description="state")
    def state(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "valid" if keys.is_valid(row, clock.now()) else "expired or stopped"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add_apikey")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "change_apikey")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any
    ) -> type[forms.ModelForm[ApiKey]]:
        return ApiKeyForm if obj is None else super().get_form(request, obj, change, **options)

    def get_urls(self) -> list[Any]:
        rotate: URLPattern = self.address("<path:object_id>/rotate/", self.rotate, "rotate")
        return [rotate, *super().get_urls()]

    # Making one

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> ApiKey:
        data = form.cleaned_data
        row, form.secret = keys.create(
            data["organisation"], name=data["name"], scopes=data["scopes"],
            expires_at=data["expires_at"],
        )  # fmt: skip
        return row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service has saved it; the key itself is only for this answer."""
        obj.secret = form.secret

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing related."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return self._show_once(request, obj, obj.secret)

    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """POST: a new key in its place; the old one works for another day."""
        old = self.find(request, object_id)
        self.require(request, "add_apikey")
        made = self.attempt(request, lambda: keys.rotate(old)) if request.method == "POST" else None
        if made is None:
            return self.back_to(old)
        self.log_change(request, old, f"Rotated: {made[0]} takes over.")
        self.log_addition(request, made[0], f"Takes over from {old}.")
        return self._show_once(request, made[0], made[1])

    def _show_once(self, request: HttpRequest, row: ApiKey, secret: str) -> HttpResponse:
        page = self.render(
            request, "key_once.html", title="Your new API key", row=row, secret=secret
        )
        add_never_cache_headers(page)
        return page

    @admin.action(permissions=["revoke"], description="Revoke: works no more, at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        for row in rows:
            keys.revoke(row)
            self.log_change(request, row, "Revoked.")
        self.message_user(request, "Revoked.", messages.SUCCESS)
