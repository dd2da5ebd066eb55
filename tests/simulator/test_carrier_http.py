"""The carrier plane over real HTTP: the wire contract, line by line."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from simulator import magic
from simulator.clocks import VirtualClock
from simulator.http.callbacks import UNHEARD_AT_ONCE
from simulator.plane import MOST_BODY_BYTES
from simulator.testing import SimulatorThread, serve_in_thread
from tests.simulator.helpers import HEADERS, Receiver, call, message, send

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with serve_in_thread(seed=7, report_delay_s=0) as thread:
        yield thread


def test_a_batch_is_answered_row_by_row_in_request_order(simulator: SimulatorThread) -> None:
    answer = send(simulator.url, [message(1), message(2, to=magic.BLOCKED)])

    accepted, refused = answer.json()["messages"]
    assert answer.status == 200
    assert accepted.pop("id")
    assert accepted == {
        "client_ref": "ref-1",
        "to": "+254711000001",
        "status": "accepted",
        "parts": 1,
        "price": "KES 0.8000",
    }
    assert refused == {
        "client_ref": "ref-2",
        "to": "+" + magic.BLOCKED,
        "status": "refused",
        "code": "blocked",
        "detail": "this number does not take messages from this account",
    }


def test_common_text_and_sender_serve_messages_without_their_own(
    simulator: SimulatorThread,
) -> None:
    body = {
        "messages": [{"client_ref": "a", "to": "254711000001"}],
        "text": "For all",
        "from": "ALL",
    }
    call("POST", f"{simulator.url}/v1/messages", body)

    (seen,) = call("GET", f"{simulator.url}/_sim/oracle/messages?client_ref=a").json()["messages"]
    assert (seen["text"], seen["from"]) == ("For all", "ALL")


def test_the_query_knows_what_was_accepted_and_leaves_out_the_rest(
    simulator: SimulatorThread,
) -> None:
    sent = send(simulator.url, [message(1), message(2, to=magic.BLOCKED)]).json()["messages"]

    known = call(
        "GET", f"{simulator.url}/v1/messages?client_ref=ref-1&client_ref=ref-2&client_ref=never"
    ).json()["messages"]

    assert [(row["client_ref"], row["id"]) for row in known] == [("ref-1", sent[0]["id"])]


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Authorization": "Bearer wrong"}, b"{}", 401, "invalid_key"),
        ({}, b"{}", 401, "invalid_key"),
        (HEADERS, b"not json", 400, "invalid_request"),
        (HEADERS, b"[]", 400, "invalid_request"),
        (HEADERS, b'{"messages":[]}', 400, "invalid_request"),
        (HEADERS, b'{"messages":[{"to":12}]}', 400, "invalid_request"),
        (HEADERS, b'{"messages":[{"to":"+254711000001","validity_s":-1}]}', 400, "invalid_request"),
        (HEADERS, json.dumps({"messages": [{"to": "1"}] * 1001}).encode(), 413, "too_large"),
    ],
)
def test_a_request_that_is_wrong_is_refused_as_a_whole(
    simulator: SimulatorThread, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answer = call("POST", f"{simulator.url}/v1/messages", body, headers=headers)

    assert (answer.status, answer.json()["code"]) == (status, code)
    assert simulator.engine.oracle.totals["accepted"] == 0


@pytest.mark.parametrize("path", ["v1/messages", "_sim/reset"])
def test_a_body_of_more_than_eight_megabytes_is_too_large(
    simulator: SimulatorThread, path: str
) -> None:
    answer = call("POST", f"{simulator.url}/{path}", b" " * (MOST_BODY_BYTES + 1))

    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["detail"] == "the body is larger than 8000000 bytes"


def test_unknown_paths_and_methods_say_so(simulator: SimulatorThread) -> None:
    assert call("GET", f"{simulator.url}/v2/messages").status == 404
    wrong = call("DELETE", f"{simulator.url}/v1/messages")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, POST")


def test_reports_of_an_account_without_an_address_are_booked_as_lost() -> None:
    count = UNHEARD_AT_ONCE + 1
    with serve_in_thread(report_delay_s=0, clock=VirtualClock()) as simulator:
        for start in (0, count // 2):
            send(simulator.url, [message(start + index) for index in range(count // 2 + 1)])
        call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 1})
        found = call("GET", f"{simulator.url}/_sim/oracle/summary").json()["reports"]

    assert (found["lost"], found["pending"]) == (found["planned"], 0)
    assert found["planned"] >= count


def test_on_a_real_clock_they_are_booked_as_lost_without_being_asked(
    simulator: SimulatorThread,
) -> None:
    booked = threading.Event()
    simulator.account.listeners.add(
        lambda: booked.set() if simulator.engine.oracle.totals["reports_lost"] == 3 else None
    )
    send(simulator.url, [message(index) for index in range(3)])

    assert booked.wait(timeout=10)
    assert simulator.engine.next_due_at() is None


def test_a_report_follows_signed_so_that_another_implementation_verifies_it() -> None:
    with (
        Receiver() as receiver,
        serve_in_thread(report_url=receiver.url, secret=SECRET, report_delay_s=0) as simulator,
    ):
        sent = send(simulator.url, [message(1)]).json()["messages"][0]
        (report,) = receiver.wait_for(1)

    headers, body = receiver.posts[0]
    assert Webhook(SECRET).verify(body, headers) == report
    assert report.pop("report_id")
    assert report.pop("at").endswith("Z")
    assert report == {
        "id": sent["id"],
        "client_ref": "ref-1",
        "to": "+254711000001",
        "status": "delivered",
        "code": "000",
    }


def test_reports_may_come_in_one_body() -> None:
    with (
        Receiver() as receiver,
        serve_in_thread(report_url=receiver.url, report_delay_s=0, report_batch=100) as simulator,
    ):
        send(simulator.url, [message(index) for index in range(5)])
        (body,) = receiver.wait_for(1)

    assert {report["client_ref"] for report in body["reports"]} == {f"ref-{i}" for i in range(5)}


def test_the_oracle_has_what_recording_clients_saw_and_nothing_else() -> None:
    rules: list[object] = [
        {"match": {"share": 10}, "refuse": "blocked"},
        {"throttle": {"share": 30, "tries": 1}},
    ]
    seen: Counter[tuple[str, str, str]] = Counter()
    lock = threading.Lock()
    with serve_in_thread(seed=7, rules=rules, report_delay_s=0) as simulator:

        def work(client: int) -> None:
            for start in range(client * 60, client * 60 + 60, 20):
                batch = [message(index) for index in range(start, start + 20)]
                for _ in range(2):
                    rows = send(simulator.url, batch).json()["messages"]
                    with lock:
                        seen.update((r["client_ref"], r["status"], r.get("id", "")) for r in rows)

        clients = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        records = simulator.engine.oracle.records()
        summary = call("GET", f"{simulator.url}/_sim/oracle/summary").json()

    assert Counter((r.client_ref, r.status, r.id) for r in records) == seen
    assert summary["accepted"] == sum(
        n for (_, status, _), n in seen.items() if status == "accepted"
    )
    again = Counter(ref for ref, status, _ in seen if status == "accepted")
    assert summary["duplicates"]["by_reference"] == sum(n - 1 for n in again.values())
