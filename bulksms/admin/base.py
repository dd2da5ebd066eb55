"""What all pages of the admin share: read-only lists that stay fast, services that may refuse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from bulksms.exceptions import BulkSmsError, InvalidRequest
from bulksms.sms import numbers

_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")

if TYPE_CHECKING:

    class _ModelAdmin(admin.ModelAdmin[_M]):
        """Django's, with a type parameter."""

    class BaseForm(forms.ModelForm[_M]):
        """Django's, with a type parameter."""

    _Paginator = Paginator[Any]

else:
    _Paginator = Paginator

    class BaseForm(forms.ModelForm):
        """Django's has no type parameter when it runs."""

        def __class_getitem__(cls, _model):
            return cls

    class _ModelAdmin(admin.ModelAdmin):
        """Django's has no type parameter when it runs."""

        def __class_getitem__(cls, _model):
            return cls


class NewestPaginator(_Paginator):
    """Pages through the first ``MOST`` rows, without ever counting a table.

    One query reads the keys of those rows, a second one the rows of the page. Who looks for
    something further back narrows the search.
    """

    MOST = 2_000

    @cached_property
    def _keys(self) -> list[Any]:
        rows: Any = self.object_list
        return list(rows.values_list("pk", flat=True)[: self.MOST])

    @cached_property
    def count(self) -> int:
        return len(self._keys)

    def page(self, number: int | str) -> Page[Any]:
        valid = self.validate_number(number)
        start = (valid - 1) * self.per_page
        keys = self._keys[start : start + self.per_page]
        rows: Any = self.object_list
        return Page(rows.filter(pk__in=keys), valid, self)


class NewestChangeList(ChangeList):
    """Takes its rows from the paginator also when there is one page: a search is made once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


class BaseAdmin(_ModelAdmin[_M]):
    """A list and a page per row that change nothing; more is added by the noun's own class."""

    paginator = NewestPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 50
    ordering = ("-pk",)
    #: Sorting a large table by any column would read all of it.
    sortable_by = ()
    actions_on_bottom = False

    class Media:
        css = {"all": ("bulksms/admin.css",)}

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return NewestChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # For pages of our own

    def allows(self, request: HttpRequest, permission: str) -> bool:
        """Whether the user has ``bulksms.<permission>``."""
        return bool(request.user.has_perm(f"bulksms.{permission}"))

    def require(self, request: HttpRequest, permission: str) -> None:
        """Raises PermissionDenied."""
        if not self.allows(request, permission):
            raise PermissionDenied

    def find(self, request: HttpRequest, object_id: str) -> _M:
        """The row of a page. Raises Http404, PermissionDenied."""
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        return found

    def render(
        self, request: HttpRequest, template: str, *, title: str, **context: Any
    ) -> TemplateResponse:
        """A page of ours in the admin's frame."""
        # Addresses are those of the site that the page is in, should there be several.
        request.current_app = self.admin_site.name
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts, "media": self.media, "title": title, **context,
        }  # fmt: skip
        return TemplateResponse(request, f"bulksms/admin/{template}", frame)

    def address(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """``route`` of this noun, for who is logged in; its name is ``bulksms_<noun>_<name>``."""
        return path(
            route, self.admin_site.admin_view(view), name=f"bulksms_{self.opts.model_name}_{name}"
        )

    def fragment(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """The same for a part of a page that is polled: logged out, the whole page is loaded anew.

        A redirect to the log-in page would be put into the part.
        """
        inner = self.admin_site.admin_view(view)

        def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            if not self.admin_site.has_permission(request):
                return HttpResponse(status=204, headers={"HX-Refresh": "true"})
            return inner(request, *args, **options)

        return path(route, guarded, name=f"bulksms_{self.opts.model_name}_{name}")

    def back_to(self, obj: _M) -> HttpResponse:
        return redirect(f"admin:bulksms_{self.opts.model_name}_change", obj.pk)

    def attempt(self, request: HttpRequest, deed: Callable[[], _T]) -> _T | None:
        """Call a service; what it refuses is told to the user, and the answer is None."""
        try:
            return deed()
        except (BulkSmsError, ValueError) as error:
            for text in reasons(error):
                self.message_user(request, text, messages.ERROR)
        return None


def reasons(error: BulkSmsError | ValueError) -> list[str]:
    """Sentences for people."""
    if isinstance(error, InvalidRequest):
        return [fault.detail for fault in error.errors]
    return [str(error)]


def actor(request: HttpRequest) -> str:
    """Who decides, for the log of decisions."""
    return str(request.user.get_username())


def masked(number: str) -> str:
    """A number in a list: "+2547••••678"."""
    return numbers.mask(number) if number else "–"
