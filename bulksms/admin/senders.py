"""Sender IDs: noted as the networks registered them; approved, rejected, revoked."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from bulksms.admin.base import BaseAdmin, BaseForm
from bulksms.models import SenderId
from bulksms.services import organisations
from bulksms.sms import senders as rules


class SenderIdForm(BaseForm[SenderId]):
    """A name as the networks registered it."""

    class Meta:
        model = SenderId
        fields = ("organisation", "name", "kind", "network", "status")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if fault := rules.check(name):
            raise forms.ValidationError(fault)
        return name


@admin.register(SenderId)
class SenderIdAdmin(BaseAdmin[SenderId]):
    list_display = (
        "name", "organisation", "kind", "network", "status", "is_default",
    )  # fmt: skip
    list_filter = ("status", "kind")
    list_select_related = ("organisation",)
    search_fields = ("name__istartswith", "organisation__slug")
    form = SenderIdForm
    actions = ("approve", "reject", "revoke", "make_default")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add_senderid")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "change_senderid")

    def save_model(self, request: HttpRequest, obj: SenderId, form: Any, change: bool) -> None:
        made = self._register(obj, obj.status)
        obj.pk = made.pk

    def _register(self, sender: SenderId, status: str) -> SenderId:
        return organisations.register_sender(
            sender.organisation, sender.name, status=status, kind=sender.kind,
            network=sender.network, is_default=sender.is_default,
        )  # fmt: skip

    @admin.action(permissions=["approve"], description="Approve: it may be used")
    def approve(self, request: HttpRequest, rows: QuerySet[SenderId]) -> None:
        self._decide(request, rows, SenderId.STATUS.approved)

    @admin.action(permissions=["approve"], description="Reject")
    def reject(self, request: HttpRequest, rows: QuerySet[SenderId]) -> None:
        self._decide(request, rows, SenderId.STATUS.rejected)

    @admin.action(permissions=["approve"], description="Revoke: it may not be used any more")
    def revoke(self, request: HttpRequest, rows: QuerySet[SenderId]) -> None:
        self._decide(request, rows, SenderId.STATUS.revoked)

    def _decide(self, request: HttpRequest, rows: QuerySet[SenderId], status: str) -> None:
        done = 0
        for sender in rows.select_related("organisation"):
            if self.attempt(request, partial(self._register, sender, status)):
                self.log_change(request, sender, f"{status.capitalize()}.")
                done += 1
        self.message_user(request, f"{done} sender ID(s) {status}.", messages.SUCCESS)

    @admin.action(permissions=["approve"], description="Make it the organisation's default")
    def make_default(self, request: HttpRequest, rows: QuerySet[SenderId]) -> None:
        for sender in rows:
            organisations.set_default_sender(sender)
            self.log_change(request, sender, "Made the default.")
        self.message_user(request, "Done.", messages.SUCCESS)
