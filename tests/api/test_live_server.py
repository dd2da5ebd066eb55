"""Over a real server and a real client: what only sockets show."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from bulksms.models import Campaign
from bulksms.services import wallet
from tests.api.helpers import PROBLEM, SEND_BULK
from tests.factories import make_key, make_organisation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def organisation():
    return make_organisation(balance_micros=2_000_000)


@pytest.fixture
def authorization(organisation) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_key(organisation)}"}


def test_tracking_the_campaign(live_server, authorization) -> None:
    body = {"recipients": ["254712345678"], "message": "Hi"}
    sent = requests.post(live_server.url + SEND_BULK, headers=authorization, json=body).json()
    campaign = f"{live_server.url}/v1/sms/campaigns/{sent['campaign_id']}"

    status = requests.get(f"{campaign}/", headers=authorization).json()
    messages = requests.get(f"{campaign}/messages/", headers=authorization).json()
    balance = requests.get(f"{live_server.url}/v1/balance/", headers=authorization).json()

    assert (status["recipients_count"], status["queued_count"]) == (1, 1)
    assert [row["id"] for row in messages["results"]] == [row["id"] for row in sent["results"]]
    assert (balance["balance"], balance["held"]) == ("1.00", "1.00")


def test_a_key_that_is_wrong(live_server) -> None:
    headers = {"Authorization": "Bearer tk_live_xxxx"}

    answer = requests.post(live_server.url + SEND_BULK, headers=headers, json={})

    assert answer.status_code == 401
    assert set(answer.json()) == PROBLEM


def test_a_body_over_the_limit_is_answered(live_server, authorization, organisation) -> None:
    """The answer arrives although the client was still sending."""
    headers = authorization | {"Content-Type": "application/json"}

    answer = requests.post(
        live_server.url + SEND_BULK, headers=headers, data=b" " * 17_000_000, timeout=20
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert wallet.of(organisation).available_micros == 2_000_000


def test_a_chunked_body_is_read_or_refused_but_never_taken_for_empty(
    live_server, authorization
) -> None:
    """This server cannot read one; one that can says so with ``wsgi.input_terminated``."""

    def chunks() -> Iterator[bytes]:
        yield b'{"recipients": ["254712345678"], "message": "Hi"}'

    headers = authorization | {"Content-Type": "application/json"}

    answer = requests.post(live_server.url + SEND_BULK, headers=headers, data=chunks(), timeout=20)

    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [
        ("200", 400, "invalid_json"),
        ("20", 400, "invalid_json"),
        ("99999999999", 413, "body_too_large"),
        ("-1", 400, "invalid_json"),
        ("x", 400, "invalid_json"),
    ],
)
def test_a_content_length_that_lies(live_server, authorization, length, status, code) -> None:
    body = b'{"recipients": ["254712345678"], "message": "Hi"}'

    found_status, problem = raw_post(live_server.url, authorization, length, body)

    assert (found_status, problem["code"]) == (status, code)
    assert set(problem) == PROBLEM
    assert Campaign.objects.count() == 0


def raw_post(url: str, headers: dict[str, str], length: str, body: bytes) -> tuple[int, dict]:
    parts = urlsplit(url)
    lines = [
        f"POST {SEND_BULK} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Connection: close",
    ]
    with socket.create_connection(
        (str(parts.hostname), parts.port or 80), timeout=10
    ) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content)
