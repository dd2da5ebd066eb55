"""The Africa's Talking shape, and its own SDK, unchanged, against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from simulator import magic
from simulator.testing import SimulatorThread, serve_in_thread
from tests.simulator.helpers import Receiver, call

HEADERS = {"apiKey": "test-key", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def simulator(receiver: Receiver) -> Iterator[SimulatorThread]:
    with serve_in_thread(report_url=receiver.url, report_delay_s=0) as thread:
        yield thread


def post(simulator: SimulatorThread, *, headers: Any = HEADERS, **form: str) -> Any:
    url = f"{simulator.url}/version1/messaging"
    return call("POST", url, urlencode(form).encode(), headers=headers)


def forms(receiver: Receiver) -> list[dict[str, str]]:
    return [dict(parse_qsl(body.decode())) for _, body in receiver.posts]


def test_refusals_come_inside_a_201_by_number(simulator: SimulatorThread) -> None:
    numbers = f"+254711000001,+{magic.BLOCKED},+{magic.INVALID_NUMBER}"

    answer = post(simulator, username="shop", to=numbers, message="Hi", **{"from": "SHOP"})

    data = answer.json()["SMSMessageData"]
    assert (answer.status, data["Message"]) == (201, "Sent to 1/3 Total Cost: KES 0.8000")
    assert data["Recipients"][0].pop("messageId")
    assert data["Recipients"] == [
        {"statusCode": 101, "number": "+254711000001", "status": "Success", "cost": "KES 0.8000"},
        {
            "statusCode": 406,
            "number": f"+{magic.BLOCKED}",
            "status": "UserInBlacklist",
            "cost": "0",
            "messageId": "None",
        },
        {
            "statusCode": 403,
            "number": f"+{magic.INVALID_NUMBER}",
            "status": "InvalidPhoneNumber",
            "cost": "0",
            "messageId": "None",
        },
    ]


def test_a_sender_that_does_not_exist_lists_nobody(simulator: SimulatorThread) -> None:
    answer = post(simulator, username="shop", to=magic.UNKNOWN_SENDER, message="Hi")

    assert answer.json() == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}


def test_a_wrong_key_and_a_missing_field_are_plain_refusals(simulator: SimulatorThread) -> None:
    wrong = post(simulator, headers={"apiKey": "nope"}, username="a", to="1", message="x")
    missing = post(simulator, username="shop", to="+254711000001")

    assert (wrong.status, wrong.content) == (401, b"The supplied authentication is invalid")
    assert (missing.status, missing.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        (magic.DELIVERED, "Success", None),
        (magic.UNDELIVERED, "Failed", "UserIsInactive"),
        (magic.REJECTED, "Rejected", "UserInBlackList"),
    ],
)
def test_reports_are_unsigned_forms(
    simulator: SimulatorThread, receiver: Receiver, number: str, status: str, reason: str | None
) -> None:
    sent = post(simulator, username="shop", to=f"+{number}", message="Hi").json()
    receiver.wait_for_posts(1)

    (form,) = forms(receiver)
    assert form["id"] == sent["SMSMessageData"]["Recipients"][0]["messageId"]
    assert (form["status"], form["phoneNumber"]) == (status, f"+{number}")
    assert form.get("failureReason") == reason
    assert "webhook-signature" not in receiver.posts[0][0]


def test_every_message_is_a_new_one_since_this_api_has_no_references(
    simulator: SimulatorThread,
) -> None:
    for _ in range(2):
        post(simulator, username="shop", to="+254711000001", message="Hi")

    duplicates = simulator.engine.oracle.duplicates()
    assert duplicates == (0, 1)


def test_the_real_sdk_sends_and_gets_its_answer_and_its_callback(
    simulator: SimulatorThread, receiver: Receiver
) -> None:
    sdk = pytest.importorskip("africastalking.SMS", reason="the SDK is not installed")
    sms = sdk.SMSService("shop", "test-key")
    sms._baseUrl = f"{simulator.url}/version1"

    answer = sms.send("Habari", ["+254711000001", "+254711000002"], sender_id="SHOP")
    receiver.wait_for_posts(2)

    recipients = answer["SMSMessageData"]["Recipients"]
    assert [row["statusCode"] for row in recipients] == [101, 101]
    assert {form["id"] for form in forms(receiver)} == {row["messageId"] for row in recipients}
