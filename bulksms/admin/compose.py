"""Compose: text, sender, recipients; a quote; and only then, confirmed, a campaign."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from bulksms import ids, money, spreadsheet
from bulksms.admin import exports
from bulksms.models import Organisation
from bulksms.services import quoting, sending
from bulksms.services.outbox import Draft
from bulksms.services.validation import BulkRequest

if TYPE_CHECKING:
    from bulksms.admin.base import BaseAdmin

SALT = "bulksms.compose"
#: How long a quote may be confirmed.
QUOTE_S = 3600
MAX_BYTES = 2_000_000
#: Rows with faults on the page of the quote.
SHOWN = 50
#: How people call the column of the numbers.
NUMBER_COLUMNS = ("to", "number", "mobile", "phone", "recipient", "msisdn")


class ComposeForm(forms.Form):
    """One text for all; a CSV's other columns fill its {placeholders}."""

    organisation = forms.ModelChoiceField(Organisation.objects.order_by("name"))
    sender_id = forms.CharField(
        max_length=15, required=False, label="Sender", help_text="Empty: the default one."
    )
    message = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}), strip=False
    )
    recipients = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
        help_text="One number a line.",
    )
    file = forms.FileField(
        required=False,
        label="Or a CSV file",
        help_text="With a column 'to'; each other column fills the {placeholder} of its name.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        file: Any = data.get("file")
        if file is not None and (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError("At most 2 MB here.")
        try:
            data["audience"] = _from_file(file.read()) if file else _pasted(data)
        except (ValueError, csv.Error) as error:
            raise forms.ValidationError(str(error)) from error
        return data


def _pasted(data: Mapping[str, Any]) -> dict[str, Any]:
    lines = [line.strip().rstrip(",;") for line in str(data.get("recipients", "")).splitlines()]
    return {"recipients": [line for line in lines if line]}


def _from_file(raw: bytes) -> dict[str, Any]:
    """Recipients, or messages with their variables. Raises ValueError, csv.Error."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("This is no CSV in UTF-8.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    column = next((name for name in names if name.lower() in NUMBER_COLUMNS), None)
    if column is None or len(set(names)) < len(names):
        raise ValueError("The first line must name the columns, each once; one of them is 'to'.")
    reader.fieldnames = names
    rows = [_row(reader.line_num, cells) for cells in reader]
    if len(names) == 1:
        return {"recipients": [row[column] for row in rows]}
    return {"messages": [{"to": row.pop(column), "variables": row} for row in rows]}


def _row(line: int, cells: Mapping[str | None, Any]) -> dict[str, str]:
    if None in cells or None in cells.values():
        raise ValueError(f"Line {line} has not as many cells as the first line.")
    return {str(name): spreadsheet.plain(cell.strip()) for name, cell in cells.items()}


def view(page: BaseAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The form; after it the quote; after that, confirmed, the new campaign's page."""
    if "confirmed" in request.POST:
        return _confirm(page, request)
    form = ComposeForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and "back" not in request.POST and form.is_valid():
        data = form.cleaned_data
        wanted = {
            "message": data["message"], "sender_id": data["sender_id"] or None, **data["audience"],
        }  # fmt: skip
        organisation: Organisation = data["organisation"]
        quote = page.attempt(
            request, lambda: quoting.quote(organisation, BulkRequest(**wanted))
        )  # fmt: skip
        if quote is not None:
            return _show(page, request, organisation, wanted, quote)
    return page.render(request, "compose.html", title="Compose", form=form)


def _show(
    page: BaseAdmin[Any], request: HttpRequest, organisation: Organisation,
    wanted: Mapping[str, Any], quote: quoting.Quote,
) -> HttpResponse:  # fmt: skip
    cost = money.amount(quote.total_micros)
    sealed = {
        "organisation": organisation.pk, "wanted": wanted, "max_cost": cost, "key": str(ids.new())
    }  # fmt: skip
    parts = sorted({row.units for row in quote.rows if not row.draft.error})
    available = quote.available_micros
    drafts = [row.draft for row in quote.rows]
    return page.render(
        request, "quote.html", title="Quote", organisation=organisation, quote=quote,
        wanted=wanted, parts=parts, refused=exports.refused(drafts), faults=_faults(drafts),
        cost=money.sentence(quote.total_micros, quote.currency),
        saving=money.sentence(quote.saving_micros, quote.currency) if quote.saving_micros else "",
        available="" if available is None else money.sentence(available, quote.currency),
        sealed=signing.dumps(sealed, salt=SALT, compress=True),
    )  # fmt: skip


def _faults(drafts: Sequence[Draft]) -> list[tuple[str, str]]:
    """The first rows that would not be sent: what was written, and why not."""
    refused = (draft for draft in drafts if draft.error)
    return [(row.input or f"+{row.number}", row.detail) for row in islice(refused, SHOWN)]


def _confirm(page: BaseAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The key travels with the quote: confirmed twice, it is sent once, and never for more."""
    try:
        sealed = signing.loads(request.POST["confirmed"], salt=SALT, max_age=QUOTE_S)
    except signing.BadSignature:
        page.message_user(request, "This quote is too old. Look again.", messages.ERROR)
        return redirect("admin:bulksms_campaign_add")
    organisation = Organisation.objects.get(pk=sealed["organisation"])
    sent = page.attempt(
        request,
        lambda: sending.send_bulk(
            organisation=organisation, max_cost=sealed["max_cost"],
            idempotency_key=f"admin:{sealed['key']}", **sealed["wanted"],
        ),
    )  # fmt: skip
    if sent is None:
        return redirect("admin:bulksms_campaign_add")
    if not sent.replayed:
        page.log_addition(request, sent.campaign, f"Composed: {sent.queued} messages queued.")
    page.message_user(
        request, f"{sent.queued} queued, {sent.failed} not sent.", messages.SUCCESS
    )  # fmt: skip
    return page.back_to(sent.campaign)


def is_uuid(text: str) -> bool:
    """Whether ``text`` is written like an id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
