"""Wallets and their ledger: read only. Money moves by the services, with permissions of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse

from bulksms import ids, money
from bulksms.admin.base import BaseAdmin
from bulksms.models import LedgerEntry, Wallet
from bulksms.services import wallet

LINES = 50


class TopUpForm(forms.Form):
    """A payment that came in."""

    amount = forms.CharField(max_length=30, help_text='Plain digits, like "1500.00".')
    provider = forms.CharField(max_length=30, initial="manual", help_text="E.g. mpesa.")
    reference = forms.CharField(
        max_length=80, help_text="The payment's own; the same one again adds nothing."
    )
    note = forms.CharField(max_length=255, required=False)


class AdjustForm(forms.Form):
    """A correction, up or down."""

    amount = forms.CharField(max_length=30, help_text='With a minus to take away: "-20.00".')
    note = forms.CharField(max_length=255, help_text="Why; it stands in the statement.")
    key = forms.CharField(widget=forms.HiddenInput)


@admin.register(Wallet)
class WalletAdmin(BaseAdmin[Wallet]):
    list_display = (
        "organisation", "available", "owed", "credit", "low_below",
    )  # fmt: skip
    list_select_related = ("organisation",)
    search_fields = ("organisation__slug__istartswith",)

    @admin.display(description="available")
    def available(self, row: Wallet) -> str:
        return money.sentence(row.available_micros, row.currency)

    @admin.display(description="owed")
    def owed(self, row: Wallet) -> str:
        return money.sentence(row.owed_micros, row.currency) if row.owed_micros else ""

    @admin.display(description="credit")
    def credit(self, row: Wallet) -> str:
        return _limit(row.credit_limit_micros, row.currency, "without limit")

    @admin.display(description="low below")
    def low_below(self, row: Wallet) -> str:
        return _limit(row.low_balance_micros, row.currency, "")

    def get_urls(self) -> list[Any]:
        return [
            self.address("<path:object_id>/top-up/", self.top_up_view, "top_up"),
            self.address("<path:object_id>/adjust/", self.adjust_view, "adjust"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.find(request, object_id)
        entries = LedgerEntry.objects.filter(wallet=row, seq__isnull=False)
        newest = entries.select_related("hold").order_by("-seq")[:LINES]
        return self.render(
            request, "wallet.html", title=f"Wallet of {row.organisation}", wallet=row,
            available=self.available(row), credit=self.credit(row), owed=self.owed(row),
            held=money.sentence(wallet.held_micros(row), row.currency),
            lines=[_Line(entry, row.currency) for entry in newest],
            may_top_up=self.allows(request, "top_up_wallet"),
            may_adjust=self.allows(request, "adjust_wallet"),
        )  # fmt: skip

    # Money

    def top_up_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.find(request, object_id)
        self.require(request, "top_up_wallet")

        def deed(data: dict[str, str]) -> LedgerEntry:
            key = wallet.payment_key(data["provider"], data["reference"])
            amount = money.parse(data["amount"])
            return wallet.top_up(row.organisation, amount, key=key, note=data["note"])

        return self._money(request, row, TopUpForm(request.POST or None), "Top up", deed)

    def adjust_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.find(request, object_id)
        self.require(request, "adjust_wallet")

        def deed(data: dict[str, str]) -> LedgerEntry:
            amount = money.parse(data["amount"])
            return wallet.adjust(row.organisation, amount, key=data["key"], note=data["note"])

        # The key is made with the form, so that sending the form twice adjusts once.
        form = AdjustForm(request.POST or None, initial={"key": f"admin:{ids.new()}"})
        return self._money(request, row, form, "Adjust", deed)

    def _money(
        self, request: HttpRequest, row: Wallet, form: forms.Form, what: str,
        deed: Callable[[dict[str, str]], LedgerEntry],
    ) -> HttpResponse:  # fmt: skip
        if request.method == "POST" and form.is_valid():
            entry = self.attempt(request, lambda: deed(form.cleaned_data))
            if entry is not None:
                amount = money.sentence(entry.amount_micros, row.currency)
                said = f"{entry.kind.capitalize()} of {amount} (entry {entry.pk})."
                self.log_change(request, row, said)
                self.message_user(request, said, messages.SUCCESS)
                return self.back_to(row)
        return self.render(
            request, "wallet_form.html", title=f"{what}: {row.organisation}", form=form,
            what=what, wallet=row, available=self.available(row),
        )  # fmt: skip


def _limit(micros: int | None, currency: str, none: str) -> str:
    return none if micros is None else money.sentence(micros, currency)


class _Line:
    """A ledger entry as a line of the wallet's page."""

    def __init__(self, entry: LedgerEntry, currency: str) -> None:
        self.entry = entry
        sign = "" if entry.target == "available" else "-"
        self.amount = f"{sign}{money.amount(entry.amount_micros)}"
        self.balance = money.sentence(entry.available_after_micros or 0, currency)
        self.campaign_id = entry.hold.campaign_id if entry.hold else None


@admin.register(LedgerEntry)
class LedgerEntryAdmin(BaseAdmin[LedgerEntry]):
    list_display = (
        "id", "wallet_of", "kind", "amount", "key", "note", "created_at",
    )  # fmt: skip
    list_select_related = ("wallet__organisation",)
    search_fields = ("wallet__organisation__slug", "key")
    search_help_text = "An organisation's slug, or the whole key of a movement"
    raw_id_fields = ("wallet", "hold", "reverses")

    @admin.display(description="organisation")
    def wallet_of(self, row: LedgerEntry) -> str:
        return row.wallet.organisation.name

    @admin.display(description="amount")
    def amount(self, row: LedgerEntry) -> str:
        return money.sentence(row.amount_micros, row.wallet.currency)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wallets = list(Wallet.objects.filter(organisation__slug=term).values_list("pk", flat=True))
        if wallets:
            return queryset.filter(wallet__in=wallets), False
        every = list(Wallet.objects.values_list("pk", flat=True)[:1_000])
        return queryset.filter(wallet__in=every, key=term), False
