"""What the API's tests share."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from bulksms.models import Campaign, Hold, LedgerEntry, Message, Organisation, Report, Run
from bulksms.services import wallet

SEND_BULK = "/v1/sms/send-bulk/"
SEND = "/v1/sms/send/"
PROBLEM = {"type", "title", "status", "detail", "code", "errors"}


class Api:
    """A client with a key. Exceptions are answered as a server answers them: with a 500."""

    def __init__(self, key: str | None) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = {} if key is None else {"authorization": f"Bearer {key}"}

    def get(self, path: str, parameters: Any = None, **headers: str) -> HttpResponse:
        return self.client.get(path, parameters, headers=self.headers | headers)

    def post(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self.raw(path, json.dumps(body).encode(), **headers)

    def raw(
        self, path: str, body: bytes, content_type: str = "application/json", **headers: str
    ) -> HttpResponse:
        sent = {"headers": self.headers | headers, "CONTENT_TYPE": content_type}
        return self.client.generic("POST", path, body, **sent)

    def send(self, *recipients: Any, message: str = "Hi", **more: Any) -> HttpResponse:
        return self.post(SEND_BULK, {"recipients": list(recipients), "message": message, **more})


def world(organisation: Organisation) -> dict[str, int]:
    """How many rows there are, and the organisation's money; the same again = nothing moved."""
    models = (Campaign, Run, Message, Hold, LedgerEntry, Report)
    counts = {model.__name__: model.objects.count() for model in models}
    return counts | {"available": wallet.of(organisation).available_micros}


def assert_problem(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """``answer`` is an error answer of v1, complete and consistent; returns its body."""
    body: dict[str, Any] = json.loads(answer.content)
    assert (answer.status_code, body.get("code")) == (status, code), body
    assert set(body) == PROBLEM
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].strip()
    assert answer["Content-Type"] == "application/json"
    for fault in body["errors"]:
        assert set(fault) == {"field", "code", "detail"}
        assert all(isinstance(value, str) and value for value in fault.values())
    return body


def faults(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault["field"], fault["code"]) for fault in body["errors"]]
