"""v1's endpoints: read the input, call one service, write the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse

from bulksms import clock
from bulksms.api.base import ApiRequest, BaseView
from bulksms.api.parsing import OptionalJsonParser
from bulksms.api.rendering import JSON, JsonResponse
from bulksms.api.v1 import inputs, outputs, pages, rows
from bulksms.models.outbox import HIGH
from bulksms.services import (
    campaigns,
    control,
    limits,
    listing,
    organisations,
    quoting,
    retrying,
    sending,
    wallet,
)
from bulksms.services.control import Changed
from bulksms.services.validation import BulkRequest


class _Sending(BaseView):
    scope: ClassVar[str] = "send"

    def check_priority(self, order: BulkRequest) -> None:
        """Raises InsufficientScope."""
        if order.priority == HIGH:
            self.require("priority")


class SendBulk(_Sending):
    """Accept one text, or a text each, for up to 10,000 recipients. 207: some failed."""

    limit: ClassVar[str] = limits.SEND_BULK

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send_bulk(request.json, self.organisation)
        self.check_priority(order)
        result = sending.send(self.organisation, order, once=self.once)
        answer = JsonResponse(outputs.bulk(result), 207 if result.failed else 201)
        return self.replayed(answer, result.replayed)


class Send(_Sending):
    """Accept one SMS; one that cannot be queued is an error, and nothing is stored."""

    limit: ClassVar[str] = limits.SEND

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send(request.json, self.organisation)
        self.check_priority(order)
        result = sending.send_one(self.organisation, order, once=self.once)
        answer = JsonResponse(outputs.single(result, str(order.message)), 201)
        return self.replayed(answer, result.replayed)


class Quote(BaseView):
    """What the same body would cost and reach if it were sent now. Nothing is stored."""

    limit: ClassVar[str] = limits.QUOTE

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send_bulk(request.json, self.organisation)
        return JsonResponse(outputs.quote(quoting.quote(self.organisation, order)))


class _CampaignView(BaseView):
    def answer(self, campaign_id: UUID) -> HttpResponse:
        campaign = campaigns.get(self.organisation, campaign_id)
        return JsonResponse(outputs.campaign(campaign, campaigns.cost_micros(campaign)))


class _Control(BaseView):
    """Something that is done to a campaign. Done twice it does no harm: see ``do_once``."""

    scope: ClassVar[str] = "manage"
    limit: ClassVar[str] = limits.MANAGE

    def change(self, work: Callable[[], Changed]) -> HttpResponse:
        def answer() -> HttpResponse:
            what = work()
            return JsonResponse(outputs.changed(what, campaigns.cost_micros(what.campaign)))

        return self.do_once(answer, repeatable=True)


class Campaign(_CampaignView, _Control):
    """A campaign's progress; and another time for one that waits for its time."""

    by_method = {"GET": ("read", limits.READ)}

    def get(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        return self.answer(pages.by_path(campaign_id, request.query_params))

    def patch(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        moment = inputs.scheduled_at(request.json)
        found = pages.by_path(campaign_id, request.query_params)
        return self.change(lambda: control.reschedule(self.organisation, found, moment))


class _Deed(_Control):
    """A deed without a body, or with an empty one."""

    parser_classes = (OptionalJsonParser,)

    def post(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        inputs.nothing(request.json)
        found = pages.by_path(campaign_id, request.query_params)
        return self.change(lambda: self.deed(found))

    def deed(self, campaign_id: UUID) -> Changed:
        raise NotImplementedError


class Cancel(_Deed):
    """End what still waits and give its money back."""

    def deed(self, campaign_id: UUID) -> Changed:
        return control.cancel(self.organisation, campaign_id)


class Pause(_Deed):
    """Ask for nothing more until resumed."""

    def deed(self, campaign_id: UUID) -> Changed:
        return control.pause(self.organisation, campaign_id)


class Resume(_Deed):
    """Go on where a pause stopped."""

    def deed(self, campaign_id: UUID) -> Changed:
        return control.resume(self.organisation, campaign_id)


class CampaignByBody(_CampaignView):
    """The same for clients that name the campaign in the body."""

    def post(self, request: ApiRequest) -> HttpResponse:
        return self.answer(pages.by_body(request.json))


class Retry(BaseView):
    """Send again what did not arrive, as a new attempt at today's price; or say what it costs."""

    scope: ClassVar[str] = "send"
    limit: ClassVar[str] = limits.MANAGE
    parser_classes = (OptionalJsonParser,)

    def post(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        wanted, dry_run = inputs.retry(request.json)
        found = pages.by_path(campaign_id, request.query_params)

        def answer() -> HttpResponse:
            what = retrying.retry(self.organisation, found, wanted, dry_run=dry_run)
            return JsonResponse(outputs.retried(what))

        return self.do_once(answer)


class _MessagesView(BaseView):
    @property
    def region(self) -> str:
        return self.organisation.default_region

    def answer(self, order: pages.PageOrder) -> HttpResponse:
        campaign = campaigns.get(self.organisation, order.campaign_id)
        page = campaigns.messages(
            campaign, after=order.after, limit=order.limit, statuses=order.statuses,
            number=order.number,
        )  # fmt: skip
        return JsonResponse(rows.messages(campaign, page))


class Messages(_MessagesView):
    """A campaign's messages, a page at a time."""

    def get(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        return self.answer(pages.page_by_path(campaign_id, request.query_params, self.region))


class MessagesByBody(_MessagesView):
    """The same for clients that name the campaign in the body."""

    def post(self, request: ApiRequest) -> HttpResponse:
        return self.answer(pages.page_by_body(request.json, self.region))


class Balance(BaseView):
    """What the organisation's wallet has."""

    def get(self, request: ApiRequest) -> HttpResponse:
        pages.no_parameters(request.query_params)
        purse = wallet.of(self.organisation)
        return JsonResponse(rows.balance(purse, wallet.held_micros(purse)))


class AllMessages(BaseView):
    """The organisation's messages of any campaign, the newest first."""

    def get(self, request: ApiRequest) -> HttpResponse:
        order = pages.messages(request.query_params, self.organisation, clock.now())
        page = listing.messages(
            self.organisation, order.filters, after=order.after, limit=order.limit
        )
        return JsonResponse(rows.listed(self.organisation, page))


class Senders(BaseView):
    """The organisation's sender IDs."""

    def get(self, request: ApiRequest) -> HttpResponse:
        pages.no_parameters(request.query_params)
        return JsonResponse(rows.senders(organisations.senders(self.organisation)))


class WhoAmI(BaseView):
    """Whose key this is; any key may ask, whatever its scopes."""

    scope: ClassVar[str] = ""

    def get(self, request: ApiRequest) -> HttpResponse:
        pages.no_parameters(request.query_params)
        currency = wallet.of(self.organisation).currency
        return JsonResponse(rows.whoami(request.key, currency))


class OpenApi(BaseView):
    """The OpenAPI 3.1 document of this dialect, as `make openapi` wrote it; asked without a key."""

    authentication_classes = ()

    def get(self, request: ApiRequest) -> HttpResponse:
        return HttpResponse(_document(), content_type=JSON)


@cache
def _document() -> bytes:
    return resources.files("bulksms.api.v1").joinpath("openapi.json").read_bytes()
