"""This dialect's endpoints: read the input, call one service, write the output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, ClassVar

from django.http import HttpResponse

from bulksms.api.base import ApiRequest, BaseView
from bulksms.api.base import NothingHere as BaseNothingHere
from bulksms.api.errors import Problem
from bulksms.api.outbox import answers, deeds, inputs, items, names, queries, waiting
from bulksms.api.parsing import ArrayParser, OptionalJsonParser
from bulksms.api.rendering import JSON
from bulksms.models.outbox import ARRAY, BULK, HIGH, SINGLE
from bulksms.services import (
    control,
    costs,
    entries,
    entry_pages,
    idempotency,
    limits,
    repeats,
    retrying,
)
from bulksms.services.sending import BulkResult
from bulksms.services.validation import BulkRequest


class OutboxView(BaseView):
    """A view whose errors are in this dialect. ``names``: its words for the services' fields."""

    names: ClassVar[Mapping[str, str]] = names.NAMES

    def problem(self, problem: Problem) -> HttpResponse:
        return answers.problem(names.in_our_words(problem, self.names))


class NothingHere(OutboxView, BaseNothingHere):
    """404 for every address below our prefixes that is none."""


# Sending


class _SendView(OutboxView):
    scope: ClassVar[str] = "send"

    def request_sha256(self, request: ApiRequest) -> str:
        """What a repeat with the same messageId is known by; empty where there is none."""
        body = request.data
        items = body if isinstance(body, list) else [body]
        if not any(isinstance(item, dict) and item.get("messageId") for item in items):
            return ""
        return idempotency.digest((request.path.rstrip("/"), body))

    def send(self, order: BulkRequest, kind: str) -> HttpResponse:
        if order.priority == HIGH:
            self.require("priority")
        result = repeats.send_or_repeat(self.organisation, order, kind=kind, once=self.once)
        return self.replayed(self.answer(result), result.replayed)

    def answer(self, result: BulkResult) -> HttpResponse:
        """As it was accepted; or, if the client would wait, as it is then."""
        campaign = result.campaign
        patience = waiting.seconds(self.request.headers.get("Prefer", ""))
        may_wait = result.queued and campaign.scheduled_at is None and campaign.kind != ARRAY
        if not (patience and may_wait):
            return answers.sent(entries.accepted(campaign, result.drafts), result)
        waited = waiting.wait_for(lambda: entries.is_finished(campaign.id), patience)
        if not waited:
            return answers.sent(entries.accepted(campaign, result.drafts), result)
        response = answers.sent(entries.find(self.organisation, campaign.id), result)
        response["Preference-Applied"] = f"wait={patience}"
        return response


class SendBulk(_SendView):
    """One text for all (an object), or a text for each (an array)."""

    limit: ClassVar[str] = limits.SEND_BULK
    parser_classes = (ArrayParser,)

    def post(self, request: ApiRequest) -> HttpResponse:
        body: Any = request.data
        sha256 = self.request_sha256(request)
        if isinstance(body, list):
            return self.send(items.send_array(body, self.organisation, sha256), ARRAY)
        return self.send(inputs.send_bulk(body, self.organisation, sha256), BULK)


class Send(_SendView):
    """One SMS."""

    limit: ClassVar[str] = limits.SEND

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.send(request.json, self.organisation, self.request_sha256(request))
        return self.send(order, SINGLE)


class Schedule(_SendView):
    """Either of them, later. The answer's ``scheduleId`` is the entry's ``outboxId``."""

    limit: ClassVar[str] = limits.SEND_BULK
    names: ClassVar[Mapping[str, str]] = names.SCHEDULE_NAMES

    def post(self, request: ApiRequest) -> HttpResponse:
        order = inputs.schedule(request.json, self.organisation, self.request_sha256(request))
        return self.send(order, SINGLE if order.messages else BULK)

    def answer(self, result: BulkResult) -> HttpResponse:
        found = entries.accepted(result.campaign, result.drafts)
        return answers.sent(found, result, schedule=True)


# Changing what was sent


class Retry(OutboxView):
    """Ask again for one, some, or all messages that did not arrive and may be asked for."""

    scope: ClassVar[str] = "send"
    limit: ClassVar[str] = limits.SEND_BULK
    parser_classes = (OptionalJsonParser,)

    def post(self, request: ApiRequest, outbox_id: str) -> HttpResponse:
        queries.no_parameters(request.query_params)
        found = entries.find(self.organisation, queries.entry_id(outbox_id))
        wanted = deeds.retry(request.json, found)
        return self.do_once(lambda: self.retry(found, wanted))

    def retry(self, found: entries.Entry, wanted: retrying.Wanted) -> HttpResponse:
        result = retrying.retry(self.organisation, found.campaign.id, wanted)
        return answers.retried(entries.find(self.organisation, found.id), result)


class CancelSchedule(OutboxView):
    """What was scheduled and has not begun is not sent; its money is given back."""

    scope: ClassVar[str] = "manage"
    limit: ClassVar[str] = limits.MANAGE

    def post(self, request: ApiRequest) -> HttpResponse:
        text = deeds.schedule_id(request.json)
        found = entries.find(self.organisation, queries.entry_id(text))
        return self.do_once(lambda: self.cancel(found), repeatable=True)

    def cancel(self, found: entries.Entry) -> HttpResponse:
        changed = control.cancel(self.organisation, deeds.schedule_of(found))
        return answers.cancelled(entries.find(self.organisation, found.id), changed)


# Reading


class Outbox(OutboxView):
    """Entries, newest first."""

    def get(self, request: ApiRequest) -> HttpResponse:
        order = queries.entries(request.query_params)
        return answers.page(entry_pages.page(self.organisation, order.filters, after=order.after,
                                         limit=order.limit))  # fmt: skip


class OutboxEntry(OutboxView):
    """One entry: a request's with its nested ones, or a single message's."""

    def get(self, request: ApiRequest, outbox_id: str) -> HttpResponse:
        queries.no_parameters(request.query_params)
        return answers.entry(entries.find(self.organisation, queries.entry_id(outbox_id)))


class CurrentCosts(OutboxView):
    """What a unit costs now."""

    def get(self, request: ApiRequest) -> HttpResponse:
        queries.no_parameters(request.query_params)
        return answers.costs(costs.current(self.organisation))


class CostHistory(OutboxView):
    """What a unit has cost, and will."""

    def get(self, request: ApiRequest) -> HttpResponse:
        order = queries.rates(request.query_params)
        page = costs.history(self.organisation, after=order.after, limit=order.limit)
        return answers.cost_history(page)


class Balance(OutboxView):
    """What the organisation's wallet has, in money and in SMS."""

    def get(self, request: ApiRequest) -> HttpResponse:
        queries.no_parameters(request.query_params)
        return answers.balance(costs.balance(self.organisation))


class OpenApi(OutboxView):
    """The OpenAPI 3.1 document of this dialect, as `make openapi` wrote it; asked without a key."""

    authentication_classes = ()

    def get(self, request: ApiRequest) -> HttpResponse:
        return HttpResponse(_document(), content_type=JSON)


@cache
def _document() -> bytes:
    return resources.files("bulksms.api.outbox").joinpath("openapi.json").read_bytes()
