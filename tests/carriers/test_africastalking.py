"""The Africa's Talking carrier: its requests, its options, its peculiarities."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from bulksms.carriers.africastalking import AfricasTalkingCarrier
from simulator.testing import InProcessTransport
from tests.carriers.checks import ask
from tests.carriers.kinds import AFRICASTALKING, Scripted, accept_form, batch_of


class Recording(Scripted):
    """Says yes and keeps the headers too."""

    def __init__(self) -> None:
        super().__init__(accept_form)
        self.headers: list[dict[str, str]] = []

    def __call__(self, method: str, url: str, headers: Any, body: bytes, timeout_s: float) -> Any:
        self.headers.append(dict(headers))
        return super().__call__(method, url, headers, body, timeout_s)


def request_of(**options: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    """(address, headers, form) of a request for two messages."""
    transport = Recording()
    given = {"username": "shop", "api_key": "k3y", **options}
    ask(AfricasTalkingCarrier("main", given, transport=transport), batch_of(2, "Habari & karibu"))
    ((method, url, body),) = transport.asked
    assert method == "POST"
    return url, transport.headers[0], dict(parse_qsl(body.decode(), keep_blank_values=True))


def test_a_request_as_their_manual_has_it() -> None:
    url, headers, form = request_of()

    assert url == "https://api.africastalking.com/version1/messaging"
    assert headers == {
        "apiKey": "k3y",
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert form == {
        "username": "shop",
        "to": "+254711000000,+254711000001",
        "message": "Habari & karibu",
        "bulkSMSMode": "1",
        "enqueue": "1",
        "from": "SHOP",
    }


def test_options_change_it() -> None:
    url, _, form = request_of(url="https://proxy.example/at/", enqueue=False, send_from=False)

    assert url == "https://proxy.example/at/version1/messaging"
    assert form["enqueue"] == "0"
    assert "from" not in form


@pytest.mark.parametrize(
    "options", [{"username": "sandbox"}, {"sandbox": True}, {"sandbox": True, "username": ""}]
)
def test_the_sandbox_has_its_own_address_and_username(options: dict[str, Any]) -> None:
    url, _, form = request_of(**options)

    assert url == "https://api.sandbox.africastalking.com/version1/messaging"
    assert form["username"] == "sandbox"


@pytest.mark.parametrize("missing", ["username", "api_key"])
def test_a_missing_option_is_named(missing: str) -> None:
    with pytest.raises(ValueError, match="username and api_key"):
        AFRICASTALKING.build(Scripted(), **{missing: ""})


def test_an_accepted_message_is_known_by_their_id() -> None:
    results = ask(AFRICASTALKING.build(InProcessTransport()), batch_of(3))

    assert all(result.carrier_ref for result in results.values())


def answer(*rows: dict[str, Any]) -> tuple[int, Any]:
    return 201, {"SMSMessageData": {"Message": "Sent", "Recipients": list(rows)}}


@pytest.mark.parametrize("number", ["+254711000000", "254711000000", 254711000000])
@pytest.mark.parametrize("code", [101, "101", " 101 "])
def test_results_go_by_number_in_whatever_form(number: Any, code: Any) -> None:
    batch = batch_of(2)
    row = {"number": number, "statusCode": code, "messageId": "ATXid_1", "cost": "KES 0.8000"}

    results = ask(AFRICASTALKING.build(Scripted(answer(row))), batch)

    assert set(results) == {batch[0].reference}
    assert results[batch[0].reference].carrier_ref == "ATXid_1"


def test_an_unknown_code_keeps_the_id_so_that_a_report_finds_the_message() -> None:
    row = {"number": "+254711000000", "statusCode": 999, "messageId": "ATXid_1", "status": "Hm"}

    (result,) = ask(AFRICASTALKING.build(Scripted(answer(row))), batch_of(1)).values()

    assert (result.outcome, result.carrier_ref, result.detail) == ("unknown", "ATXid_1", "999 Hm")


@pytest.mark.parametrize(
    ("cost", "outcome"),
    [("0", "stopped"), ("KES 0.0000", "stopped"), (0, "stopped"), (None, "stopped"),
     ("KES 0.8000", "unknown"), ("KES 0,8000", "unknown"), (0.8, "unknown")],
)  # fmt: skip
def test_a_refusal_that_costs_is_none(cost: Any, outcome: str) -> None:
    row = {"number": "+254711000000", "statusCode": 405, "messageId": "None", "cost": cost}

    (result,) = ask(AFRICASTALKING.build(Scripted(answer(row))), batch_of(1)).values()

    assert result.outcome == outcome


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/html", ""])
def test_the_content_type_of_an_answer_says_nothing(kind: str) -> None:
    def yes(body: bytes) -> tuple[int, Any, dict[str, str]]:
        return (*accept_form(body), {"Content-Type": kind})

    results = ask(AFRICASTALKING.build(Scripted(yes)), batch_of(2))

    assert {result.outcome for result in results.values()} == {"accepted"}
