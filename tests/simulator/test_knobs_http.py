"""Every knob over real HTTP: the fault as a client sees it, the truth as the oracle has it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from simulator.clocks import VirtualClock, from_micros
from simulator.testing import SimulatorThread, serve_in_thread
from tests.simulator.helpers import (
    HEADERS,
    Receiver,
    body_of,
    call,
    message,
    send,
)

LOST = (ConnectionResetError, http.client.RemoteDisconnected, TimeoutError)
Start = Callable[..., SimulatorThread]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a simulator with rules; it posts its reports to `start.receiver`."""
    with ExitStack() as stack:

        def begin(*rules: dict[str, Any], **options: Any) -> SimulatorThread:
            given = {"report_delay_s": 0, **options}
            served: AbstractContextManager[SimulatorThread] = serve_in_thread(
                rules=list(rules), **given
            )
            return stack.enter_context(served)

        yield begin


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def oracle(simulator: SimulatorThread, client_ref: str) -> dict[str, Any]:
    found = call("GET", f"{simulator.url}/_sim/oracle/messages?client_ref={client_ref}")
    return found.json()  # type: ignore[no-any-return]


def accepted(simulator: SimulatorThread, *indexes: int) -> list[int]:
    return [oracle(simulator, f"ref-{index}")["accepted"] for index in indexes]


def query(simulator: SimulatorThread, index: int) -> list[dict[str, Any]]:
    answer = call("GET", f"{simulator.url}/v1/messages?client_ref=ref-{index}")
    return answer.json()["messages"]  # type: ignore[no-any-return]


def post(simulator: SimulatorThread, body: bytes, timeout: float = 5) -> http.client.HTTPResponse:
    """Post over a bare connection, so that a loss shows as the socket shows it."""
    connection = http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=timeout)
    try:
        connection.request("POST", "/v1/messages", body, HEADERS)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


# --- 1, 2: throttle and queue ----------------------------------------------------------------


@pytest.mark.parametrize("form", ["right", "missing", "date", "lying"])
def test_1_throttle_refuses_whole_requests_with_each_retry_after(start: Start, form: str) -> None:
    clock = VirtualClock()
    limit = {"parts_per_second": 1, "burst": 20, "retry_after": form}
    simulator = start({"throttle": limit}, clock=clock)
    batch = [message(index) for index in range(20)]

    first, second = send(simulator.url, batch), send(simulator.url, batch)

    header = second.headers.get("Retry-After")
    assert (first.status, second.status, second.json()["code"]) == (200, 429, "throttled")
    if form == "date":
        wait = parsedate_to_datetime(str(header)) - from_micros(clock.now_micros())
        assert 20 <= wait.total_seconds() <= 21
    else:
        assert header == {"right": "20", "missing": None, "lying": "2"}[form]
    assert simulator.engine.oracle.totals["accepted"] == 20


def test_1_throttle_counts_parts_and_may_refuse_single_messages(start: Start) -> None:
    limit = {"parts_per_second": 1, "burst": 3, "per": "message"}
    simulator = start({"throttle": limit}, clock=VirtualClock())

    rows = send(simulator.url, [message(1, text="x" * 300), message(2), message(3)]).json()

    assert [row.get("code") for row in rows["messages"]] == [None, None, "throttled"]
    assert accepted(simulator, 1, 2, 3) == [1, 1, 0]


def test_1_a_request_that_can_never_pass_is_too_large(start: Start) -> None:
    simulator = start({"throttle": {"parts_per_second": 1, "burst": 2}})

    assert send(simulator.url, [message(index) for index in range(3)]).status == 413


def test_1_throttle_without_an_order_refuses_a_share_for_some_tries(start: Start) -> None:
    simulator = start({"throttle": {"share": 50, "tries": 2}}, seed=3)
    batch = [message(index) for index in range(40)]

    codes = [
        [row.get("code") for row in send(simulator.url, batch).json()["messages"]] for _ in range(3)
    ]

    assert codes[0] == codes[1]
    assert 10 < codes[0].count("throttled") < 30
    assert codes[2] == [None] * 40


def test_2_queue_full_drains_as_time_passes(start: Start) -> None:
    simulator = start({"queue": {"depth": 5, "drain_per_second": 1}}, clock=VirtualClock())
    batch = [message(index) for index in range(5)]
    send(simulator.url, batch)

    full = send(simulator.url, [message(9)])
    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 1})
    later = send(simulator.url, [message(9)])

    assert (full.status, full.json()["code"], full.headers["Retry-After"]) == (
        503,
        "queue_full",
        "1",
    )
    assert later.status == 200
    assert accepted(simulator, 9) == [1]


# --- 3: latency ------------------------------------------------------------------------------


def test_3_latency_is_waited_on_a_real_clock(start: Start) -> None:
    simulator = start({"latency": 0.15})
    begun = time.monotonic()

    send(simulator.url, [message(1)])

    assert time.monotonic() - begun >= 0.15


def test_3_a_virtual_latency_is_never_slept_but_beyond_the_time_out_the_answer_is_lost(
    start: Start,
) -> None:
    simulator = start({"latency": 30}, clock=VirtualClock())
    begun = time.monotonic()

    assert send(simulator.url, [message(1)]).status == 200
    with pytest.raises(LOST):
        send(simulator.url, [message(2)], headers={**HEADERS, "X-Timeout-S": "10"})

    assert time.monotonic() - begun < 5
    assert accepted(simulator, 1, 2) == [1, 1]


# --- 4: lost answers, lost requests, late processing -----------------------------------------


@pytest.mark.parametrize("how", ["reset", "close", "silence"])
def test_4_an_answer_is_lost_and_its_report_still_follows(
    start: Start, receiver: Receiver, how: str
) -> None:
    simulator = start({"lose_answer": how}, report_url=receiver.url)

    with pytest.raises(LOST) as seen:
        post(simulator, body_of([message(1)]), timeout=0.5)

    expected = {
        "reset": ConnectionResetError,
        "close": http.client.RemoteDisconnected,
        "silence": TimeoutError,
    }[how]
    assert type(seen.value) is expected
    assert accepted(simulator, 1) == [1]
    assert receiver.wait_for(1)[0]["client_ref"] == "ref-1"


def test_4_an_answer_may_be_lost_behind_a_502(start: Start) -> None:
    simulator = start({"lose_answer": 502})

    answer = send(simulator.url, [message(1)])

    assert answer.status == 502
    assert accepted(simulator, 1) == [1]


def test_4_a_lost_request_was_never_accepted(start: Start) -> None:
    simulator = start({"lose_request": {"how": "reset", "tries": 1}})
    with pytest.raises(ConnectionResetError):
        post(simulator, body_of([message(1)]))

    assert accepted(simulator, 1) == [0]
    assert query(simulator, 1) == []
    assert send(simulator.url, [message(1)]).status == 200


def test_4_a_request_processed_late_is_unknown_first_and_accepted_later(
    start: Start, receiver: Receiver
) -> None:
    simulator = start({"process_late": 300}, clock=VirtualClock(), report_url=receiver.url)
    with pytest.raises(LOST):
        post(simulator, body_of([message(1)]))

    before = query(simulator, 1)
    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 300})
    after = query(simulator, 1)

    assert before == []
    assert [row["client_ref"] for row in after] == ["ref-1"]
    assert accepted(simulator, 1) == [1]
    assert receiver.wait_for(1)[0]["at"] == "2026-01-01T00:05:00.000000Z"


# --- 5: the answer and the truth part company ------------------------------------------------


def test_5_refused_but_reported_all_the_same(start: Start, receiver: Receiver) -> None:
    rule = {"refuse": {"code": "blocked", "report": "delivered"}}
    simulator = start(rule, report_url=receiver.url)

    row = send(simulator.url, [message(1)]).json()["messages"][0]

    assert row["code"] == "blocked"
    assert receiver.wait_for(1)[0]["status"] == "delivered"
    assert accepted(simulator, 1) == [0]


def test_5_accepted_but_never_reported(start: Start) -> None:
    simulator = start({"report": False}, clock=VirtualClock())
    send(simulator.url, [message(1)])

    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 3 * 86_400})

    seen = oracle(simulator, "ref-1")
    assert (seen["accepted"], seen["messages"][0]["reports"]) == (1, [])


# --- 6: dropped in the middle ----------------------------------------------------------------


@pytest.mark.parametrize("taken", [0, 2])
def test_6_the_connection_drops_after_some_were_accepted(start: Start, taken: int) -> None:
    simulator = start({"drop_after": taken})

    with pytest.raises(ConnectionResetError):
        post(simulator, body_of([message(index) for index in range(5)]))

    assert accepted(simulator, 0, 1, 2, 3, 4) == [1] * taken + [0] * (5 - taken)


# --- 7: rows ---------------------------------------------------------------------------------


def test_7_rows_come_shuffled_one_missing_one_extra(start: Start) -> None:
    simulator = start({"rows": {"shuffled": True, "missing": 1, "extra": 1}})

    rows = send(simulator.url, [message(index) for index in range(10)]).json()["messages"]

    refs = [row["client_ref"] for row in rows]
    ours = [ref for ref in refs if ref.startswith("ref-")]
    assert (len(refs), len(ours)) == (10, 9)
    assert ours != sorted(ours)
    assert accepted(simulator, *range(10)) == [1] * 10


# --- 8 to 15: reports ------------------------------------------------------------------------


def test_8_the_report_comes_before_the_answer(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"state": "delivered", "before_answer": True}}
    simulator = start(rule, report_url=receiver.url)

    send(simulator.url, [message(1)])

    assert len(receiver.posts) == 1


def test_9_a_report_is_posted_several_times_with_one_id(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"state": "delivered", "copies": 3, "gap_s": 0}}
    simulator = start(rule, report_url=receiver.url)

    send(simulator.url, [message(1)])

    assert len({report["report_id"] for report in receiver.wait_for(3)}) == 1


def test_10_reports_come_out_of_order(start: Start, receiver: Receiver) -> None:
    rule = {"report": [{"state": "delivered", "delay_s": 1}, {"state": "enroute", "delay_s": 2}]}
    simulator = start(rule, report_url=receiver.url, clock=VirtualClock())
    send(simulator.url, [message(1)])

    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 5})

    assert [report["status"] for report in receiver.bodies()] == ["delivered", "enroute"]
    assert oracle(simulator, "ref-1")["messages"][0]["state"] == "delivered"


def test_11_a_report_comes_after_72_hours(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"state": "delivered", "delay_s": 259_200}}
    simulator = start(rule, report_url=receiver.url, clock=VirtualClock())
    send(simulator.url, [message(1)])

    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 259_199})
    early = len(receiver.posts)
    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 1})

    assert (early, len(receiver.posts)) == (0, 1)


def test_12_a_report_names_an_id_that_nobody_got(start: Start, receiver: Receiver) -> None:
    simulator = start({"report": {"state": "delivered", "id": "unknown"}}, report_url=receiver.url)

    row = send(simulator.url, [message(1)]).json()["messages"][0]
    (report,) = receiver.wait_for(1)

    assert report["id"] != row["id"]
    assert "client_ref" not in report


def test_12_a_report_names_an_id_of_another_account(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"state": "delivered", "id": "account:other"}}
    simulator = start(rule, report_url=receiver.url)
    call("PUT", f"{simulator.url}/_sim/accounts/other", {"key": "other-key"})
    others = {**HEADERS, "Authorization": "Bearer other-key"}
    theirs = send(simulator.url, [message(7)], headers=others).json()["messages"][0]

    send(simulator.url, [message(1)])

    assert receiver.wait_for(1)[0]["id"] == theirs["id"]


@pytest.mark.parametrize(
    ("form", "looks"),
    [
        ("hex", lambda text: len(text) == 16 and text == text.lower()),
        ("upper", lambda text: len(text) == 16 and text == text.upper()),
        ("decimal", lambda text: text.isdigit() and int(text) < 2**63),
        ("padded", lambda text: len(text) == 24 and text.startswith("00000")),
        ("big", lambda text: 2**63 <= int(text) < 2**64),
        ("uuid", lambda text: text.count("-") == 4),
    ],
)
def test_13_carrier_ids_have_the_form_of_the_rule(
    start: Start, form: str, looks: Callable[[str], bool]
) -> None:
    simulator = start({"id_form": form})

    assert looks(send(simulator.url, [message(1)]).json()["messages"][0]["id"])


def test_13_an_id_may_have_another_form_in_its_report(start: Start, receiver: Receiver) -> None:
    rule = {"id_form": {"answer": "hex", "report": "padded"}}
    simulator = start(rule, report_url=receiver.url)

    row = send(simulator.url, [message(1)]).json()["messages"][0]

    assert int(receiver.wait_for(1)[0]["id"]) == int(row["id"], 16)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("delivered", "000"),
        ("undelivered", "027"),
        ("expired", "034"),
        ("rejected", "069"),
        ("unknown", "099"),
        ("lost_in_space", "999"),
    ],
)
def test_14_every_final_state_and_a_state_that_nobody_knows(
    start: Start, receiver: Receiver, state: str, code: str
) -> None:
    simulator = start({"report": state}, report_url=receiver.url)
    send(simulator.url, [message(1)])

    (report,) = receiver.wait_for(1)

    assert (report["status"], report["code"]) == (state, code)


def test_14_a_report_may_lack_fields(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"state": "delivered", "code": "ZZ", "omit": ["at", "client_ref"]}}
    simulator = start(rule, report_url=receiver.url)
    send(simulator.url, [message(1)])

    assert sorted(receiver.wait_for(1)[0]) == ["code", "id", "report_id", "status", "to"]


def test_15_every_part_has_an_outcome_of_its_own(start: Start, receiver: Receiver) -> None:
    rule = {"report": {"parts": ["delivered", "undelivered"], "delay_s": 0}}
    simulator = start(rule, report_url=receiver.url)
    send(simulator.url, [message(1, text="x" * 400)])

    reports = receiver.wait_for(3)

    assert sorted((report["part"], report["parts"], report["status"]) for report in reports) == [
        (1, 3, "delivered"),
        (2, 3, "undelivered"),
        (3, 3, "undelivered"),
    ]


# --- 16 to 22 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "written"),
    [
        ("KES 1.2500", "KES 2.5000"),
        ({"amount": "0.8", "currency": "UGX"}, "UGX 1.6000"),
        ({"amount": "0.8", "form": "number"}, 1.6),
        ({"amount": "0.8", "form": "comma"}, "KES 1,6000"),
        ({"form": "zero"}, "0"),
        ({"form": "missing"}, None),
    ],
)
def test_16_prices_come_in_strange_clothes(start: Start, price: object, written: object) -> None:
    simulator = start({"price": price})

    row = send(simulator.url, [message(1, text="x" * 200)]).json()["messages"][0]

    assert row.get("price") == written


@pytest.mark.parametrize(
    ("how", "looks"),
    [
        ("invalid_json", lambda reply: reply.content.endswith(b",]")),
        ("html", lambda reply: reply.headers["Content-Type"] == "text/html"),
        ("empty", lambda reply: reply.content == b""),
        ("wrong_type", lambda reply: reply.headers["Content-Type"] == "text/plain"),
        ("huge", lambda reply: len(reply.content) == 2_000_000),
        ("truncated", lambda reply: not reply.content.endswith(b"}")),
        ("redirect", lambda reply: reply.status == 307),
        ({"how": "dribble", "seconds": 0.1}, lambda reply: len(reply.json()["messages"]) == 1),
    ],
)
def test_17_the_body_is_spoiled_and_the_message_taken(
    start: Start, how: object, looks: Callable[[Any], bool]
) -> None:
    simulator = start({"body": how})

    assert looks(send(simulator.url, [message(1)]))
    assert accepted(simulator, 1) == [1]


@pytest.mark.parametrize("said", ["STOP", "start", "Help"])
def test_18_the_handset_writes_back(start: Start, receiver: Receiver, said: str) -> None:
    simulator = start({"reply": {"text": said, "delay_s": 0}}, inbound_url=receiver.url)
    send(simulator.url, [message(1)])

    (inbound,) = receiver.wait_for(1)

    assert (inbound["from"], inbound["to"], inbound["text"]) == ("+254711000001", "SHOP", said)


def test_18_an_inbound_message_from_a_number_that_nobody_wrote_to(
    start: Start, receiver: Receiver
) -> None:
    simulator = start(inbound_url=receiver.url)

    call(
        "POST",
        f"{simulator.url}/_sim/mo",
        {"from": "+254799999999", "to": "SHOP", "text": "stop it"},
    )

    assert receiver.wait_for(1)[0]["from"] == "+254799999999"


def test_19_the_query_lags_forgets_and_fails(start: Start) -> None:
    simulator = start(
        {"match": {"number": "254711000001"}, "query": {"lag_s": 60}},
        {"match": {"number": "254711000002"}, "query": {"forget_after_s": 60}},
        {"match": {"number": "254711000003"}, "query": {"status": 500, "tries": 1}},
        clock=VirtualClock(),
    )
    send(simulator.url, [message(1), message(2), message(3)])
    now = [len(query(simulator, 1)), len(query(simulator, 2))]
    failed = call("GET", f"{simulator.url}/v1/messages?client_ref=ref-3").status

    call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 60})

    assert (now, failed) == ([0, 1], 500)
    assert [len(query(simulator, index)) for index in (1, 2, 3)] == [1, 0, 1]


def test_20_our_credit_ends_in_the_middle_of_a_batch(start: Start) -> None:
    simulator = start({"credit": 3})

    rows = send(simulator.url, [message(index) for index in range(5)]).json()["messages"]

    assert [row.get("code") for row in rows] == [None] * 3 + ["out_of_credit"] * 2


@pytest.mark.parametrize(
    ("code", "status"), [("invalid_key", 401), ("out_of_credit", 402), ("throttled", 429)]
)
def test_20_the_whole_account_is_refused(start: Start, code: str, status: int) -> None:
    simulator = start({"answer": {"code": code, "retry_after_s": 7}})

    answer = send(simulator.url, [message(1)])

    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.headers["Retry-After"] == "7"
    assert accepted(simulator, 1) == [0]


def test_21_an_idle_connection_is_closed_under_the_client(start: Start) -> None:
    simulator = start({"close_idle": 0})
    connection = http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=5)
    connection.request("POST", "/v1/messages", body_of([message(1)]), HEADERS)
    answer = connection.getresponse()
    answer.read()

    assert (answer.status, answer.getheader("Connection")) == (200, None)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_21_a_connection_that_is_used_again_in_time_stays_open(start: Start) -> None:
    simulator = start({"match": {"nth": 1}, "close_idle": 0.5})
    connection = http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=5)
    for index in range(2):
        connection.request("POST", "/v1/messages", body_of([message(index)]), HEADERS)
        connection.getresponse().read()
    connection.sock.settimeout(0.7)

    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    connection.close()


def test_22_a_reference_may_be_deduplicated(start: Start) -> None:
    simulator = start({"dedupe_by_ref": True})

    first, second = (send(simulator.url, [message(1)]).json() for _ in range(2))

    assert first == second
    assert accepted(simulator, 1) == [1]


def test_without_that_rule_a_repeated_reference_is_a_second_message(start: Start) -> None:
    simulator = start()
    for _ in range(2):
        send(simulator.url, [message(1)])

    summary = call("GET", f"{simulator.url}/_sim/oracle/summary").json()
    assert accepted(simulator, 1) == [2]
    assert summary["duplicates"] == {"by_reference": 1, "by_content": 1}


def test_the_oracle_names_the_rule_and_why_it_hit(start: Start) -> None:
    rule = {"name": "a third", "match": {"prefix": "2547", "share": 100}, "report": "expired"}
    simulator = start(rule)
    send(simulator.url, [message(1)])

    (hit,) = oracle(simulator, "ref-1")["messages"][0]["rules"]

    assert (hit["knob"], hit["rule"]) == ("outcome", "a third")
    assert hit["why"].startswith("prefix in ['2547']; share 100: drew ")


def test_a_whole_answer_is_one_json_body(start: Start) -> None:
    simulator = start()

    assert json.loads(send(simulator.url, [message(1)]).content)["messages"]
