"""The base of all views: everything that a host could configure otherwise is pinned here.

Nothing is left to ``REST_FRAMEWORK``, and nothing to ``ATOMIC_REQUESTS``: services own their
transactions. ``rest_framework`` need not be in the host's ``INSTALLED_APPS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, cast

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from bulksms.api import errors
from bulksms.api.auth import BearerKey, HasScope
from bulksms.api.parsing import JsonParser
from bulksms.api.rendering import JSON, JsonRenderer
from bulksms.exceptions import NotFound
from bulksms.models import ApiKey, Organisation


class JsonOnly(BaseContentNegotiation):
    """JSON in, JSON out: ``Accept`` is not asked, and the parser itself judges Content-Type.

    A 406 would refuse clients that read JSON very well but send a browser's ``Accept``.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return next(iter(renderers)), JSON


class ApiRequest(Request):
    """DRF's request, but that the parser gets Django's request, also when Content-Length is 0."""

    @property
    def stream(self) -> HttpRequest:
        return self._request

    @property
    def json(self) -> dict[str, Any]:
        """The body, a JSON object."""
        return cast(dict[str, Any], self.data)

    @property
    def key(self) -> ApiKey:
        """The API key of a view that asks for one."""
        return cast(ApiKey, self.auth)


class BaseView(APIView):
    """One address of ours. ``scope`` is what a key must have to call it."""

    authentication_classes: Sequence[Any] = (BearerKey,)
    permission_classes: Sequence[Any] = (HasScope,)
    throttle_classes: Sequence[Any] = ()
    parser_classes: Sequence[Any] = (JsonParser,)
    renderer_classes: Sequence[Any] = (JsonRenderer,)
    content_negotiation_class = JsonOnly
    metadata_class = None
    versioning_class = None
    schema: Any = None

    scope: ClassVar[str] = "read"

    @classmethod
    def as_view(  # type: ignore[override]  # the stubs' type has the class in it
        cls, **initkwargs: Any
    ) -> Callable[..., HttpResponseBase]:
        view: Callable[..., HttpResponseBase] = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @property
    def organisation(self) -> Organisation:
        """Whose key this is."""
        return cast(ApiRequest, self.request).key.organisation

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        if self.authentication_classes:
            super().perform_authentication(request)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Which methods there are, in ``Allow``; asked without a key."""
        return HttpResponse(status=204)

    def handle_exception(self, exc: Exception) -> Any:
        response = errors.answer(exc, self.request.META.get("HTTP_ACCEPT", ""))
        if response is None:
            raise exc
        return response


class NothingHere(BaseView):
    """404 in our shape for every method; mounted last below the prefixes that are ours alone."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address.")
