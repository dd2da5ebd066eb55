"""The carriers under test: how each is built, and how its protocol says yes.

A new carrier joins the conformance suite with one entry here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from bulksms.carriers.africastalking import AfricasTalkingCarrier
from bulksms.carriers.base import Carrier, OutboundSms
from bulksms.carriers.http import HttpCarrier
from bulksms.carriers.locmem import LocmemCarrier
from bulksms.carriers.simulator import SimulatorCarrier
from bulksms.carriers.transport import Transport
from simulator.testing import InProcessTransport

URL = "http://carrier.test"
KEY = "test-key"
#: Ordinary numbers, outside the simulator's magic block.
FIRST_NUMBER = 254711000000


@dataclass(frozen=True, slots=True)
class Kind:
    """A carrier class and its protocol. ``accept`` answers a request body with a full yes."""

    name: str
    backend: type[Carrier]
    options: Mapping[str, Any]
    accept: Callable[[bytes], tuple[int, Any]] | None = None

    def build(
        self, transport: Transport | None = None, *, url: str = URL, **options: Any
    ) -> Carrier:
        if self.accept is None:
            return self.backend("main", {**self.options, **options})
        given = {"url": url, **self.options, **options}
        make: Any = self.backend
        return make("main", given, transport=transport)

    def accepted(self, house: InProcessTransport, sms: OutboundSms) -> int:
        """How often the house really took this message."""
        by_number = self.backend.matches_by == "number"
        asked = {"to": sms.to} if by_number else {"client_ref": sms.reference}
        records = house.engine.oracle.records(**asked)
        return sum(record.status == "accepted" for record in records)


def accept_json(body: bytes) -> tuple[int, Any]:
    rows = json.loads(body)["messages"]
    answers = [
        {"client_ref": row["client_ref"], "to": row["to"], "status": "accepted", "id": f"id-{n}"}
        for n, row in enumerate(rows)
    ]
    return 200, {"messages": answers}


def accept_form(body: bytes) -> tuple[int, Any]:
    numbers = parse_qs(body.decode())["to"][0].split(",")
    rows = [
        {"statusCode": 101, "number": number, "status": "Success", "cost": "KES 0.8000",
         "messageId": f"ATXid_{n}"}
        for n, number in enumerate(numbers)
    ]  # fmt: skip
    return 201, {"SMSMessageData": {"Message": "Sent", "Recipients": rows}}


LOCMEM = Kind("locmem", LocmemCarrier, {})
HTTP = Kind("http", HttpCarrier, {"key": KEY}, accept_json)
SIMULATOR = Kind("simulator", SimulatorCarrier, {}, accept_json)
AFRICASTALKING = Kind(
    "africastalking", AfricasTalkingCarrier, {"username": "shop", "api_key": KEY}, accept_form
)
KINDS = (LOCMEM, HTTP, SIMULATOR, AFRICASTALKING)
#: Those with a network in between.
REMOTE = (HTTP, SIMULATOR, AFRICASTALKING)


def batch_of(count: int, text: str = "Habari yako") -> list[OutboundSms]:
    """Messages that any carrier takes in one request: one text, one sender, each number once."""
    return [
        OutboundSms(str(uuid4()), str(FIRST_NUMBER + n), "SHOP", text, 1, 3600)
        for n in range(count)
    ]


class Scripted:
    """A transport that answers as told and counts what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers: list[Any] = list(answers)
        self.asked: list[tuple[str, str, bytes]] = []

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        self.asked.append((method, url, body))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = answer(body)
        status, content, *headers_given = answer
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return status, (headers_given or [{}])[0], raw


class Counted:
    """Another transport, counted."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.posts = 0

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        self.posts += method == "POST"
        return self.inner(method, url, headers, body, timeout_s)


def numbers_of(batch: Sequence[OutboundSms]) -> set[str]:
    return {sms.to for sms in batch}
