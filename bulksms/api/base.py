"""The base of all views: everything that a host could configure otherwise is pinned here.

Nothing is left to ``REST_FRAMEWORK``, and nothing to ``ATOMIC_REQUESTS``: services own their
transactions. ``rest_framework`` need not be in the host's ``INSTALLED_APPS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from bulksms.api import auth, errors, once
from bulksms.api.auth import BearerKey
from bulksms.api.parsing import JsonParser
from bulksms.api.rendering import JSON, JsonRenderer
from bulksms.exceptions import AuthenticationFailed, NotFound, RateLimited
from bulksms.models import ApiKey, Organisation
from bulksms.services import idempotency, limits
from bulksms.services.idempotency import Kept, Once
from bulksms.services.limits import Window


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
    """One address of ours.

    What a view declares, and what it may call::

        class Cancel(BaseView):
            scope: ClassVar[str] = "manage"   # what a key must have (services.keys), "" = nothing
            limit: ClassVar[str] = "manage"   # which limit counts it: services.limits.DEFAULTS
            by_method = {"GET": ("read", "read")}   # (scope, limit) of methods that differ

            def post(self, request: ApiRequest) -> HttpResponse:
                self.require("priority")                          # one more scope, by content
                result = sending.send(..., once=self.once)        # makes a campaign
                return self.replayed(JsonResponse(...), result.replayed)
                return self.do_once(lambda: JsonResponse(...))    # makes none

    Before the view's method runs, in this order: the key (401; 429 for an address that fails too
    often), its scope (403), the organisation's limit (429). ``RateLimit`` and ``RateLimit-Policy``
    are on every answer that has to do with a key. A dialect with its own error answers overrides
    :meth:`problem`.
    """

    authentication_classes: Sequence[Any] = (BearerKey,)
    permission_classes: Sequence[Any] = ()
    throttle_classes: Sequence[Any] = ()
    parser_classes: Sequence[Any] = (JsonParser,)
    renderer_classes: Sequence[Any] = (JsonRenderer,)
    content_negotiation_class = JsonOnly
    metadata_class = None
    versioning_class = None
    schema: Any = None

    scope: ClassVar[str] = "read"
    limit: ClassVar[str] = limits.READ
    by_method: ClassVar[Mapping[str, tuple[str, str]]] = {}

    #: How the limit stands that this request was counted by.
    window: Window | None = None

    @classmethod
    def as_view(  # type: ignore[override]  # the stubs' type has the class in it
        cls, **initkwargs: Any
    ) -> Callable[..., HttpResponseBase]:
        view: Callable[..., HttpResponseBase] = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    # For views

    @property
    def organisation(self) -> Organisation:
        """Whose key this is."""
        return cast(ApiRequest, self.request).key.organisation

    def require(self, scope: str) -> None:
        """Raises InsufficientScope unless the key has ``scope`` too."""
        auth.require(cast(ApiRequest, self.request).key, scope)

    @property
    def once(self) -> Once | None:
        """The request's Idempotency-Key for the service; None = without. Raises InvalidRequest."""
        request = cast(ApiRequest, self.request)
        return once.read(request.headers, str(request.method), request.path, request.data)

    def replayed(self, response: HttpResponse, replayed: bool) -> HttpResponse:
        """``response``, marked when it is the answer of an earlier request."""
        if replayed:
            response[once.REPLAYED] = "true"
        return response

    def do_once(
        self, work: Callable[[], HttpResponse], *, repeatable: bool = False
    ) -> HttpResponse:
        """The answer of ``work``, or that of the first request with this Idempotency-Key.

        ``work`` runs in one transaction with the key; its answer is kept unless it raises. Where it
        has transactions of its own, and doing it twice does no harm, say ``repeatable``.
        """
        key = self.once
        if key is None:
            return work()

        def keep() -> Kept:
            response = work()
            return Kept(response.status_code, response.content.decode())

        run = idempotency.run_repeatable if repeatable else idempotency.run
        kept = run(self.organisation, key, keep)
        response = HttpResponse(kept.body, status=kept.status, content_type=JSON)
        return self.replayed(response, kept.replayed)

    # How a request goes

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
        if not self.authentication_classes:
            return
        try:
            super().perform_authentication(request)
        except AuthenticationFailed:
            # A right key passes however often others failed from the same address.
            client = auth.address(request._request)
            self.window = limits.take(limits.FAILED_AUTHENTICATION, client)
            raise

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if self.authentication_classes:
            self._admit(cast(ApiRequest, request).key, str(request.method))

    def _admit(self, key: ApiKey, method: str) -> None:
        scope, limit = self.by_method.get(method, (self.scope, self.limit))
        if scope and scope not in key.scopes:
            self.window = limits.look(limit, key.organisation_id)
            auth.require(key, scope)
        self.window = limits.take(limit, key.organisation_id)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Which methods there are, in ``Allow``; asked without a key."""
        return HttpResponse(status=204)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, RateLimited):
            self.window = cast(Window, exc.window)
        problem = errors.problem_of(exc)
        if problem is None:
            raise exc
        return self.problem(problem)

    def problem(self, problem: errors.Problem) -> HttpResponse:
        """An error answer: status, headers, and the body in this dialect's shape."""
        return errors.render(problem, self.request.META.get("HTTP_ACCEPT", ""))

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if self.window is not None:
            found = self.window
            answer["RateLimit-Policy"] = f'"{found.name}";q={found.limit};w={limits.WINDOW_S}'
            answer["RateLimit"] = f'"{found.name}";r={found.remaining};t={found.reset_s}'
        return answer


class NothingHere(BaseView):
    """404 in our shape for every method; mounted last below the prefixes that are ours alone."""

    authentication_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address.")
