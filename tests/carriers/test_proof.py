"""docs/reference/carriers.md, row by row: what each answer proves is what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulksms.carriers.africastalking import STATUSES
from bulksms.carriers.base import SubmitResult
from bulksms.carriers.http import SAFE
from tests.carriers.checks import ask
from tests.carriers.kinds import AFRICASTALKING, HTTP, KINDS, REMOTE, Kind, Scripted, batch_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "carriers.md"
HTML = b"<html>502 Bad Gateway</html>"

#: Makes an answer from a request's body, or is one.
Answer = Any


def with_row(kind: Kind, **fields: Any) -> Callable[[bytes], tuple[int, Any]]:
    """The yes of a protocol, with its rows changed."""

    def answer(body: bytes) -> tuple[int, Any]:
        assert kind.accept is not None
        status, document = kind.accept(body)
        rows = document.get("messages") or document["SMSMessageData"]["Recipients"]
        for row in rows:
            row.update(fields)
        return status, document

    return answer


def refused(code: str, **fields: Any) -> Callable[[bytes], tuple[int, Any]]:
    return with_row(HTTP, **{"status": "refused", "id": None, "code": code} | fields)


def recipient(code: int, **fields: Any) -> Callable[[bytes], tuple[int, Any]]:
    taken = code in (100, 101, 102)
    none = {} if taken else {"messageId": "None", "cost": "0"}
    return with_row(AFRICASTALKING, **{"statusCode": code, "status": "", **none} | fields)


def nobody(message: str) -> tuple[int, Any]:
    return 201, {"SMSMessageData": {"Message": message, "Recipients": []}}


def twice(kind: Kind) -> Callable[[bytes], tuple[int, Any]]:
    """Each message accepted and, in another row, refused."""

    def answer(body: bytes) -> tuple[int, Any]:
        assert kind.accept is not None
        _, other = (recipient(405) if kind is AFRICASTALKING else refused("throttled"))(body)
        status, document = kind.accept(body)
        if kind is AFRICASTALKING:
            document["SMSMessageData"]["Recipients"] += other["SMSMessageData"]["Recipients"]
        else:
            document["messages"] += other["messages"]
        return status, document

    return answer


NETWORK: Mapping[str, Callable[[Kind], Answer]] = {
    "the deadline passed before we asked": lambda _: AssertionError("was asked"),
    "connection refused, no address, no TLS": lambda _: ConnectionRefusedError(),
    "no connection in time": lambda _: ConnectionRefusedError(),
    "connection lost": lambda _: ConnectionResetError(),
    "no answer in time": lambda _: TimeoutError(),
    "a redirect": lambda _: (307, b"", {"Location": "/"}),
    "200 and HTML": lambda _: (200, HTML),
    "404 and HTML": lambda _: (404, HTML),
    "500": lambda _: (500, b""),
    "502": lambda _: (502, HTML),
    "503 and HTML": lambda _: (503, HTML),
    "two rows that contradict each other": twice,
}
OVER_HTTP: Mapping[str, Answer] = {
    "row accepted": HTTP.accept,
    **{
        f"row refused: {code}": refused(code)
        for code in ("throttled", "queue_full", "temporary_failure", "out_of_credit",
                     "account_suspended", "invalid_number", "sender_not_registered")
    },
    "row refused: any other code": refused("full_moon"),
    "row refused, with an id": refused("throttled", id="7"),
    "row with another status": with_row(HTTP, status="perhaps"),
    "401 invalid_key": (401, {"code": "invalid_key"}),
    "402 out_of_credit": (402, {"code": "out_of_credit"}),
    "403 account_suspended": (403, {"code": "account_suspended"}),
    "429 throttled": (429, {"code": "throttled"}, {"Retry-After": "7"}),
    "503 queue_full": (503, {"code": "queue_full"}),
    "503 temporary_failure": (503, {"code": "temporary_failure"}),
    "429 without its code": (429, HTML),
    "401 without its code": (401, HTML),
    "503 throttled": (503, {"code": "throttled"}),
    "400 with a code": (400, {"code": "invalid_request"}),
    "413 with a code": (413, {"code": "too_large"}),
}  # fmt: skip
OVER_FORM: Mapping[str, Answer] = {
    **{
        f"{code} {status.word}": recipient(code, status=status.word)
        for code, status in STATUSES.items()
    },
    "any other statusCode": recipient(499),
    "a refusal with a messageId": recipient(403, messageId="ATXid_9"),
    "a refusal with a cost": recipient(405, cost="KES 0.8000"),
    "nobody listed, InvalidSenderId": nobody("InvalidSenderId"),
    "nobody listed, InsufficientBalance": nobody("InsufficientBalance"),
    "nobody listed, any other Message": nobody("Sent to 0/2 Total Cost: 0"),
    "HTTP 401 with its words": (401, b"The supplied authentication is invalid"),
    "HTTP 401, other words": (401, HTML),
    "HTTP 400, a field is missing": (400, b"Request is missing required form field 'to'"),
    "HTTP 400, other words": (400, HTML),
    "HTTP 429": (429, b"Too Many Requests"),
    "HTTP 429 with safe_429": (429, b"Too Many Requests"),
}


def rows_under(heading: str) -> dict[str, tuple[str, str]]:
    """Case -> (outcome, code), from the page's table under a heading."""
    section = re.split(rf"^## {re.escape(heading)}$", PAGE.read_text("utf-8"), flags=re.M)[1]
    section = section.split("\n## ")[0]
    cells = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return {case: (outcome, code) for case, outcome, code, _ in cells[2:]}


def said(result: SubmitResult) -> tuple[str, str]:
    again = ", ask again" if result.temporary else ""
    return result.outcome + again, result.code


NETWORK_PAGE = rows_under("Every carrier over a network")
HTTP_PAGE = rows_under("HTTP and simulator")
FORM_PAGE = rows_under("Africa's Talking")


def test_the_page_has_a_row_for_each_case_and_no_other() -> None:
    assert list(NETWORK_PAGE) == list(NETWORK)
    assert list(HTTP_PAGE) == list(OVER_HTTP)
    assert list(FORM_PAGE) == list(OVER_FORM)


def prove(kind: Kind, answer: Answer, timeout_s: float = 5.0, **options: Any) -> tuple[str, str]:
    results = ask(kind.build(Scripted(answer), **options), batch_of(2), timeout_s)
    assert len(results) == 2
    first, second = (said(result) for result in results.values())
    assert first == second
    return first


@pytest.mark.parametrize("case", NETWORK)
def test_over_a_network(remote: Kind, case: str) -> None:
    late = case.startswith("the deadline")

    found = prove(remote, NETWORK[case](remote), timeout_s=-1.0 if late else 5.0)

    assert found == NETWORK_PAGE[case]


@pytest.mark.parametrize("case", OVER_HTTP)
@pytest.mark.parametrize("kind", REMOTE[:2], ids=lambda kind: kind.name)
def test_http(kind: Kind, case: str) -> None:
    assert prove(kind, OVER_HTTP[case]) == HTTP_PAGE[case]


@pytest.mark.parametrize("case", OVER_FORM)
def test_africastalking(case: str) -> None:
    options = {"safe_429": True} if case.endswith("safe_429") else {}

    assert prove(AFRICASTALKING, OVER_FORM[case], **options) == FORM_PAGE[case]


def test_only_safe_refusals_are_asked_for_again() -> None:
    again = {code for outcome, code in HTTP_PAGE.values() if outcome == "refused, ask again"}

    assert again == SAFE == HTTP.backend.safe_refusals
    assert not AFRICASTALKING.backend.safe_refusals


def test_a_carrier_that_asks_to_be_left_alone_is_heard() -> None:
    headers = {"Retry-After": "7"}
    asked = [
        (HTTP, (429, {"code": "throttled"}, headers)),
        (HTTP, (503, HTML, headers)),
        (AFRICASTALKING, (429, b"", headers)),
    ]
    for kind, answer in asked:
        results = ask(kind.build(Scripted(answer)), batch_of(1))
        assert [result.retry_after_s for result in results.values()] == [7.0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_declarations_are_on_the_page(kind: Kind) -> None:
    column = {"locmem": 1, "http": 2, "simulator": 2, "africastalking": 3}[kind.name]
    section = PAGE.read_text("utf-8").split("## Declarations")[1].split("\n## ")[0]
    rows = {
        cells[1].strip().split("`")[1]: cells[column + 1].strip()
        for line in section.splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    backend, carrier = kind.backend, kind.build(Scripted())

    assert rows["max_batch"] == f"{backend.max_batch} ({carrier.batch_size})"
    assert rows["one_text_per_request"].startswith("yes" if backend.one_text_per_request else "no")
    assert rows["matches_by"] == backend.matches_by
    assert rows["has_query"] == ("yes" if backend.has_query else "no")
    settles = f"{backend.query_settles_after_s:g}" if backend.has_query else "-"
    assert rows["query_settles_after_s"] == settles
    assert rows["supports_reports"] == ("yes" if backend.supports_reports else "no")
    assert set(re.findall(r"`(\w+)`", rows["safe_refusals"])) == backend.safe_refusals
    assert f"`{backend.__module__.rpartition('.')[2]}.{backend.__name__}`" in section
