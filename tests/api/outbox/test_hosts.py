"""Host projects: the outbox dialect mounted alone, elsewhere, and asked from many threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.urls import include, path, resolve, reverse

from bulksms.models import Campaign, Message
from tests.api.helpers import Api
from tests.api.outbox.helpers import PAGE_BODY, SEND_BULK, assert_error, item
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers, make_key, make_organisation


def test_the_addresses_are_those_of_the_page() -> None:
    assert reverse("bulksms:bulksms_outbox:send-bulk") == "/api/sms/send-bulk"
    assert reverse("bulksms:bulksms_outbox:entry", args=["x"]) == "/api/sms/outbox/x"
    assert reverse("bulksms:bulksms_outbox:retry", args=["x"]) == "/api/sms/outbox/x/retry"
    assert reverse("bulksms:bulksms_outbox:balance") == "/api/sms-wallet/balance"


@pytest.mark.django_db
def test_alone_and_elsewhere(settings) -> None:
    settings.ROOT_URLCONF = (path("sms/", include("bulksms.api.outbox.urls")),)

    assert reverse("bulksms_outbox:send-bulk") == "/sms/api/sms/send-bulk"
    answer = Api(None).get("/sms/api/sms-wallet/balance")
    assert_error(answer, 401, "authentication_failed")


def test_no_view_is_in_a_transaction_of_the_hosts() -> None:
    for address in ("/api/sms/send-bulk", "/api/sms/outbox/x/", "/api/sms/nothing"):
        view = resolve(address).func
        assert "default" in view._non_atomic_requests
        assert view.csrf_exempt


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["object", "array"])
def test_the_same_message_id_from_ten_threads_is_sent_once(live_server, form) -> None:
    key = make_key(make_organisation(60_000_000, 600_000, "TUKUPAY"))
    items = [item(number, messageId=number) for number in kenyan_numbers(5)]
    body = PAGE_BODY if form == "object" else items

    def post() -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.post(live_server.url + SEND_BULK, headers=headers, json=body, timeout=60)

    jobs: list[Callable[[], Any]] = [post] * 10
    answers = at_once(jobs)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Campaign.objects.count() == 1
    assert Message.objects.count() == (3 if form == "object" else 5)
