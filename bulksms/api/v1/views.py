"""v1's endpoints: read the input, call one service, write the output."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse

from bulksms.api.base import ApiRequest, BaseView
from bulksms.api.rendering import JsonResponse
from bulksms.api.v1 import inputs, outputs
from bulksms.services import campaigns, quoting, sending, wallet
from bulksms.services.validation import BulkRequest


class SendBulk(BaseView):
    """Accept one text for up to 10,000 recipients. 201: all are queued, 207: some failed."""

    scope: ClassVar[str] = "send"

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send_bulk(request.json, request.headers, self.organisation)
        result = sending.send_bulk(
            organisation=self.organisation,
            recipients=order.recipients,
            message=order.message,
            sender_id=order.sender_id,
        )
        return JsonResponse(outputs.bulk(result), 207 if result.failed else 201)


class Quote(BaseView):
    """What the same body would cost and reach if it were sent now. Nothing is stored."""

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send_bulk(request.json, request.headers, self.organisation)
        wanted = BulkRequest(
            recipients=order.recipients, message=order.message, sender_id=order.sender_id
        )
        return JsonResponse(outputs.quote(quoting.quote(self.organisation, wanted)))


class _CampaignView(BaseView):
    def answer(self, campaign_id: UUID) -> HttpResponse:
        campaign = campaigns.get(self.organisation, campaign_id)
        return JsonResponse(outputs.campaign(campaign, campaigns.cost_micros(campaign)))


class Campaign(_CampaignView):
    """A campaign's progress."""

    def get(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        return self.answer(inputs.by_path(campaign_id, request.query_params))


class CampaignByBody(_CampaignView):
    """The same for clients that name the campaign in the body."""

    def post(self, request: ApiRequest) -> HttpResponse:
        return self.answer(inputs.by_body(request.json))


class _MessagesView(BaseView):
    @property
    def region(self) -> str:
        return self.organisation.default_region

    def answer(self, order: inputs.PageOrder) -> HttpResponse:
        campaign = campaigns.get(self.organisation, order.campaign_id)
        page = campaigns.messages(
            campaign, after=order.after, limit=order.limit, statuses=order.statuses,
            number=order.number,
        )  # fmt: skip
        return JsonResponse(outputs.messages(campaign, page))


class Messages(_MessagesView):
    """A campaign's messages, a page at a time."""

    def get(self, request: ApiRequest, campaign_id: str) -> HttpResponse:
        return self.answer(inputs.page_by_path(campaign_id, request.query_params, self.region))


class MessagesByBody(_MessagesView):
    """The same for clients that name the campaign in the body."""

    def post(self, request: ApiRequest) -> HttpResponse:
        return self.answer(inputs.page_by_body(request.json, self.region))


class Balance(BaseView):
    """What the organisation's wallet has."""

    def get(self, request: ApiRequest) -> HttpResponse:
        inputs.no_parameters(request.query_params)
        purse = wallet.of(self.organisation)
        return JsonResponse(outputs.balance(purse, wallet.held_micros(purse)))
