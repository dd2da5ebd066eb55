"""An action for any ModelAdmin of your project: text the selected rows, after a look at the cost.

::

    from bulksms.admin.actions import text_selected

    @admin.register(Customer)
    class CustomerAdmin(admin.ModelAdmin):
        actions = [text_selected(phone="phone", fields=("name", "balance"))]

Who uses it needs the permission to add campaigns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from bulksms import ids, money
from bulksms.exceptions import BulkSmsError
from bulksms.models import Campaign, Organisation
from bulksms.services import audience, organisations, wallet
from bulksms.services.audience import Audience, Preview
from bulksms.sms import templates

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet

    Action = Callable[[ModelAdmin[Any], HttpRequest, QuerySet[Any]], HttpResponse | None]

SALT = "bulksms.text_selected"
#: How long a preview may be confirmed.
PREVIEW_S = 3600
TEMPLATE = "bulksms/admin/text_selected.html"


@dataclass(frozen=True, slots=True)
class _Setup:
    """How the rows of one model are texted."""

    phone: str | Callable[[Any], object]
    context: Callable[[Any], Mapping[str, object]] | Sequence[str]
    organisation: Callable[[HttpRequest], Organisation] | None

    def owner(self, request: HttpRequest) -> Organisation:
        return self.organisation(request) if self.organisation else organisations.house()

    def audience(self, rows: QuerySet[Any], message: str) -> Audience:
        return Audience(rows, message, self.phone, self.context)


def text_selected(
    *,
    phone: str | Callable[[Any], object] = "phone",
    fields: Sequence[str] = (),
    context: Callable[[Any], Mapping[str, object]] | None = None,
    organisation: Callable[[HttpRequest], Organisation] | None = None,
    description: str = "Text the selected %(verbose_name_plural)s",
) -> Action:
    """The action "Text the selected rows".

    ``phone``: the field with the number ("owner__phone" follows a relation), or a function of a
    row. ``fields``: those that a text may name as {placeholders}, no others can be read;
    ``context``: a function of a row that gives the values instead. ``organisation``: a function of
    the request (default: the house).
    """
    setup = _Setup(phone, context or tuple(fields), organisation)

    def action(
        page: ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse | None:
        if not request.user.has_perm("bulksms.add_campaign"):
            raise PermissionDenied
        if "confirmed" in request.POST and "back" not in request.POST:
            return _send(setup, page, request, rows)
        return _compose(setup, page, request, rows)

    action.short_description = description  # type: ignore[attr-defined]
    action.__name__ = "bulksms_text_selected"
    return action


class TextForm(forms.Form):
    """The text; its placeholders are fields of the rows."""

    message = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}), strip=False
    )
    sender_id = forms.CharField(
        max_length=15, required=False, label="Sender", help_text="Empty: the default one."
    )

    def __init__(self, setup: _Setup, data: Any) -> None:
        super().__init__(data)
        self._names = None if callable(setup.context) else tuple(setup.context)
        if self._names:
            offered = ", ".join(f"{{{name}}}" for name in self._names)
            self.fields["message"].help_text = f"May have {offered} in it."

    def clean_message(self) -> str:
        text = str(self.cleaned_data["message"])
        try:
            names = templates.compile(text).names
        except templates.TemplateError as error:
            raise forms.ValidationError(str(error)) from error
        for name in names:
            if self._names is not None and name not in self._names:
                raise forms.ValidationError(f"{{{name}}} cannot be used here.")
        return text


# Two pages: the text, and what it would cost


def _compose(
    setup: _Setup, page: ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any]
) -> HttpResponse:
    form = TextForm(setup, request.POST if "message" in request.POST else None)
    more: dict[str, Any] = {}
    if form.is_valid() and "back" not in request.POST:
        text, sender = form.cleaned_data["message"], form.cleaned_data["sender_id"] or None
        try:
            preview = audience.preview_to(
                setup.audience(rows, text), organisation=setup.owner(request), sender_id=sender
            )
            more = _preview(setup.owner(request), preview, text, sender)
        except (BulkSmsError, ValueError) as error:
            form.add_error(None, str(error))
    frame = {
        **page.admin_site.each_context(request),
        "title": capfirst(f"Text the selected {page.opts.verbose_name_plural}"),
        "opts": page.opts,
        "media": page.media + forms.Media(css={"all": ("bulksms/admin.css",)}),
        "form": form,
        "kept": _kept(request),
        **more,
    }
    return TemplateResponse(request, TEMPLATE, frame)


def _preview(
    owner: Organisation, preview: Preview, text: str, sender: str | None
) -> dict[str, Any]:  # fmt: skip
    available = wallet.spendable(wallet.of(owner))
    sealed = {
        "message": text, "sender": sender, "key": f"admin:{ids.new()}",
        "max_cost": money.amount(preview.cost_micros),
    }  # fmt: skip
    return {
        "preview": preview,
        "text": text,
        "cost": money.sentence(preview.cost_micros, preview.currency),
        "available": None if available is None else money.sentence(available, preview.currency),
        "is_too_dear": available is not None and preview.cost_micros > available,
        "sealed": signing.dumps(sealed, salt=SALT),
    }


def _kept(request: HttpRequest) -> list[tuple[str, str]]:
    """What the list page has to be told again: which action, which rows."""
    names = ("action", "select_across", "index", helpers.ACTION_CHECKBOX_NAME)
    return [(name, value) for name in names for value in request.POST.getlist(name)]


def _send(
    setup: _Setup, page: ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any]
) -> HttpResponse | None:
    """The key travels with the preview: confirmed twice it is sent once, and never for more."""
    try:
        sealed = signing.loads(request.POST["confirmed"], salt=SALT, max_age=PREVIEW_S)
    except signing.BadSignature:
        page.message_user(request, "This preview is too old. Look again.", messages.ERROR)
        return None
    try:
        sent = audience.send_to(
            rows, setup.phone, sealed["message"], setup.context,
            key=sealed["key"], organisation=setup.owner(request), sender_id=sealed["sender"],
            max_cost=sealed["max_cost"], name=f"{page.opts.verbose_name_plural}"[:255],
        )  # fmt: skip
    except (BulkSmsError, ValueError) as error:
        page.message_user(request, str(error), messages.ERROR)
        return None
    if sent.queued or sent.failed:
        for campaign in Campaign.objects.filter(pk__in=sent.campaigns):
            page.log_addition(request, campaign, f"Texted selected {page.opts.label}.")
    page.message_user(
        request, f"{sent.queued + sent.earlier} queued, {sent.failed} not sent.", messages.SUCCESS
    )
    return None
