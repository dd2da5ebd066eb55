"""The control plane: what it tells, what it refuses, who may ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.accounts import House
from simulator.clocks import VirtualClock
from simulator.http.server import Server, ServerOptions
from simulator.testing import SimulatorThread, serve_in_thread
from tests.simulator.helpers import HEADERS, Receiver, call, message, send

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    with serve_in_thread(clock=VirtualClock(), report_delay_s=0) as thread:
        yield thread


def ask(simulator: SimulatorThread, path: str, **more: Any) -> Any:
    return call("GET", f"{simulator.url}/_sim/{path}", headers={}, **more)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "oracle/messages?client=a", None, 422, "did you mean 'client_ref'?"),
        ("GET", "oracle/messages?client_ref=a&client_ref=b", None, 422, "given twice"),
        ("GET", "oracle/messages?to=abc", None, 422, "expected a number"),
        ("GET", "oracle/messages?wait=soon", None, 422, "query.wait"),
        ("GET", "oracle/messages?limit=0", None, 422, "query.limit"),
        ("GET", "oracle/summary?x=1", None, 422, "query.x"),
        ("PUT", "oracle/expected", {"messages": 5}, 422, "expected a list"),
        ("PUT", "oracle/expected", {"messages": [{"tto": "1"}]}, 422, "did you mean 'to'?"),
        ("GET", "phones/254711000001/last?regex=(", None, 422, "regular expression"),
        ("GET", "phones/254711000001/last?wait=9999", None, 422, "query.wait"),
        ("GET", "journal?x=1", None, 422, "query.x"),
        ("POST", "reset", {"all": True}, 422, "body.all"),
        ("POST", "mo", {"from": "me"}, 422, "body.to: is missing"),
        ("POST", "reports", {"client_ref": "a"}, 422, "body.state: is missing"),
        ("POST", "reports", {"client_ref": "a", "state": "x"}, 404, "no message"),
        ("PUT", "rules", [{"x": 1}], 422, "rules[0].x"),
        ("PUT", "rules", b"not json", 400, "not JSON"),
        ("GET", "rules?x=1", None, 422, "query.x"),
        ("GET", "clock?x=1", None, 422, "query.x"),
        ("POST", "clock/advance", {}, 422, 'give {"by"'),
        ("POST", "clock/advance", {"by": 1, "to": 5}, 422, 'give {"by"'),
        ("POST", "clock/advance", {"by": -1}, 422, "body.by"),
        ("POST", "clock/advance", {"to": "yesterday"}, 422, "ISO time"),
        ("POST", "clock/advance", {"to": "2020-01-01T00:00:00Z"}, 422, "already"),
        ("POST", "clock/advance", {"to": "2050-01-01T00:00:00Z"}, 422, "more than a year"),
        ("PUT", "clock/peers", {"peers": [{"url": "ftp://x"}]}, 422, "http://"),
        ("PUT", "clock/peers", {"peers": [{"name": "x"}]}, 422, "url: is missing"),
        ("PUT", "clock/peers", {}, 422, "body.peers: is missing"),
        ("PUT", "accounts/rules", {"key": "k"}, 422, "cannot be the name"),
        ("PUT", "accounts/other", {"key": "test-key"}, 422, "taken by another"),
        ("PUT", "accounts/other", {"key": "a b"}, 422, "without blanks"),
        ("PUT", "accounts/other", {}, 422, "body.key: is missing"),
        ("PUT", "accounts/other", {"key": "k", "secret": "?"}, 422, "signing secret"),
        ("PUT", "accounts/other", {"key": "k", "rules": [{}]}, 422, "does nothing"),
        ("GET", "nobody/rules", None, 404, "no account 'nobody'; there are: default"),
        ("GET", "nothing", None, 404, "no GET /_sim/nothing here"),
        ("DELETE", "rules", {}, 404, "no DELETE"),
    ],
)
def test_bad_input_is_a_4xx_that_says_what_is_wrong(
    simulator: SimulatorThread, method: str, path: str, body: object, status: int, says: str
) -> None:
    answer = call(method, f"{simulator.url}/_sim/{path}", body, headers=JSON)

    assert answer.status == status
    assert says in answer.json()["detail"]


def test_a_real_clock_cannot_be_advanced() -> None:
    with serve_in_thread() as simulator:
        answer = call("POST", f"{simulator.url}/_sim/clock/advance", {"by": 1})

    assert (answer.status, answer.json()["code"]) == (409, "real_clock")


def test_web_pages_are_kept_out(simulator: SimulatorThread) -> None:
    elsewhere = call("GET", f"{simulator.url}/_sim/rules", headers={"Host": "evil.example:80"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = call("POST", f"{simulator.url}/_sim/reset", b"", headers=form)

    assert (elsewhere.status, elsewhere.json()["code"]) == (403, "wrong_host")
    assert (forged.status, forged.json()["code"]) == (415, "not_json")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_public_address_is_refused_unless_it_is_wanted(host: str) -> None:
    with pytest.raises(ValueError, match="--allow-public"):
        Server(House(), ServerOptions(host=host))

    Server(House(), ServerOptions(host=host, allow_public=True))


# --- waiting ---------------------------------------------------------------------------------


def test_waiting_ends_as_soon_as_enough_was_accepted(simulator: SimulatorThread) -> None:
    later = threading.Timer(0.1, send, (simulator.url, [message(1), message(2)]))
    later.start()
    begun = time.monotonic()

    found = ask(simulator, "oracle/messages?at_least=2&wait=10").json()
    later.join()

    assert (found["accepted"], len(found["messages"])) == (2, 2)
    assert time.monotonic() - begun < 5


def test_waiting_in_vain_says_what_is_missing(simulator: SimulatorThread) -> None:
    send(simulator.url, [message(1)])

    answer = ask(simulator, "oracle/messages?to=%2B254711000001&at_least=3&wait=0.05")

    assert (answer.status, answer.json()["missing"]) == (404, 2)
    assert answer.json()["detail"] == "1 of 3 accepted after 0.05 s"
    assert answer.json()["found"]["count"] == 1


def test_a_phone_shows_the_code_that_it_was_sent(simulator: SimulatorThread) -> None:
    send(simulator.url, [message(1, text="Your code is 4711")])
    send(simulator.url, [message(1, text="Welcome!") | {"client_ref": "second"}])

    code = ask(simulator, "phones/+254711000001/last?regex=code%20is%20(%5Cd%2B)").json()
    last = ask(simulator, "phones/254711000001/last").json()
    none = ask(simulator, "phones/254711000002/last?wait=0.05")

    assert (code["match"], last["text"]) == ("4711", "Welcome!")
    assert (none.status, none.json()["code"]) == (404, "not_yet")


# --- changing things -------------------------------------------------------------------------


def test_rules_are_put_and_told(simulator: SimulatorThread) -> None:
    rules = [{"name": "all", "refuse": "blocked"}]

    call("PUT", f"{simulator.url}/_sim/rules", rules)

    assert ask(simulator, "rules").json() == {"magic": "ours", "rules": rules}
    assert send(simulator.url, [message(1)]).json()["messages"][0]["code"] == "blocked"


def test_reset_forgets_messages_and_keeps_rules(simulator: SimulatorThread) -> None:
    call("PUT", f"{simulator.url}/_sim/rules", [{"report": "expired"}])
    send(simulator.url, [message(1)])

    call("POST", f"{simulator.url}/_sim/reset")

    assert ask(simulator, "oracle/summary").json()["accepted"] == 0
    assert ask(simulator, "oracle/messages?client_ref=ref-1").json()["messages"] == []
    assert ask(simulator, "rules").json()["rules"] == [{"report": "expired"}]


def test_a_report_can_be_asked_for(simulator: SimulatorThread) -> None:
    with Receiver() as receiver:
        simulator.set_endpoint(receiver.url)
        send(simulator.url, [message(1)])
        receiver.wait_for(1)

        extra = {"client_ref": "ref-1", "state": "rejected", "code": "X"}
        call("POST", f"{simulator.url}/_sim/reports", extra)
        report = receiver.wait_for(2)[1]

    assert (report["status"], report["code"], report["client_ref"]) == ("rejected", "X", "ref-1")


def test_expected_equal_messages_are_no_duplicates(simulator: SimulatorThread) -> None:
    wanted = {"to": "+254711000001", "from": "SHOP", "text": "Hello", "count": 2}
    call("PUT", f"{simulator.url}/_sim/oracle/expected", {"messages": [wanted]})

    for client_ref in ("a", "b", "c"):
        send(simulator.url, [message(1) | {"client_ref": client_ref}])

    duplicates = ask(simulator, "oracle/summary").json()["duplicates"]
    assert duplicates == {"by_reference": 0, "by_content": 1}


def test_the_summary_adds_up(simulator: SimulatorThread) -> None:
    call("PUT", f"{simulator.url}/_sim/rules", [{"match": {"share": 40}, "refuse": "blocked"}])
    rows = send(simulator.url, [message(index) for index in range(50)]).json()["messages"]
    accepted = sum(row["status"] == "accepted" for row in rows)

    found = ask(simulator, "oracle/summary").json()

    assert (found["accepted"], found["refused"]) == (accepted, 50 - accepted)
    assert found["refused_by_code"] == {"blocked": 50 - accepted}
    assert found["reports"]["planned"] == accepted


# --- accounts --------------------------------------------------------------------------------


def test_two_accounts_never_see_each_other(simulator: SimulatorThread) -> None:
    with Receiver() as ours, Receiver() as theirs:
        simulator.set_endpoint(ours.url)
        other = {
            "key": "other-key",
            "seed": 9,
            "report_url": theirs.url,
            "report_delay_s": 0,
            "clock": "virtual",
            "rules": [{"refuse": "blocked", "match": {"number": "254711000002"}}],
        }
        shown = call("PUT", f"{simulator.url}/_sim/accounts/worker-1", other)
        batch = [message(1), message(2)]
        mine = send(simulator.url, batch).json()["messages"]
        headers = {**HEADERS, "Authorization": "Bearer other-key"}
        other_rows = send(simulator.url, batch[:1], headers=headers).json()["messages"]
        ours.wait_for(2)
        theirs.wait_for(1)
        unseen = call("GET", f"{simulator.url}/v1/messages?client_ref=ref-2", headers=headers)
        call("POST", f"{simulator.url}/_sim/worker-1/clock/advance", {"by": 60})
        call("POST", f"{simulator.url}/_sim/worker-1/reset")

    assert shown.json()["name"] == "worker-1"
    assert [row["status"] for row in mine] == ["accepted", "accepted"]
    assert mine[0]["id"] != other_rows[0]["id"]
    assert (len(ours.posts), len(theirs.posts)) == (2, 1)
    assert unseen.json() == {"messages": []}
    assert ask(simulator, "oracle/summary").json()["accepted"] == 2
    assert ask(simulator, "worker-1/oracle/summary").json()["accepted"] == 0
    assert ask(simulator, "clock").json()["now"] != ask(simulator, "worker-1/clock").json()["now"]
    assert ask(simulator, "worker-1/rules").json()["rules"] == other["rules"]
    assert [a["name"] for a in ask(simulator, "accounts").json()["accounts"]] == [
        "default",
        "worker-1",
    ]
