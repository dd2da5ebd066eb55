"""The carrier query: an absent reference is proof, so anything doubtful is no answer at all."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulksms.carriers.base import ON_ITS_WAY, QueryResult
from bulksms.carriers.http import MAX_QUERY, HttpCarrier
from simulator.testing import InProcessTransport, serve_in_thread
from tests.carriers.checks import ask
from tests.carriers.kinds import HTTP, Scripted, batch_of
from tests.carriers.raw import RawHouse, reset, silence


def query(
    transport: Any, references: list[str], timeout_s: float = 5.0, **options: Any
) -> Mapping[str, QueryResult] | None:
    carrier = HTTP.build(transport, **options)
    return carrier.query(references, time.monotonic() + timeout_s)


def row(reference: str, **fields: Any) -> dict[str, Any]:
    return {"client_ref": reference, "id": f"id-{reference}", "status": "accepted"} | fields


def test_a_carrier_knows_what_it_took_and_nothing_else() -> None:
    house = InProcessTransport(rules=[{"match": {"number": "254711000001"}, "refuse": "blocked"}])
    carrier = HTTP.build(house)
    batch = batch_of(3)
    results = ask(carrier, batch)
    references = [sms.reference for sms in batch]

    known = query(house, [*references, "never-asked"])

    assert known == {
        ref: QueryResult("accepted", ON_ITS_WAY, results[ref].carrier_ref)
        for ref in (references[0], references[2])
    }


def test_it_says_how_a_message_ended() -> None:
    house = InProcessTransport(rules=[{"report": "undelivered"}])
    batch = batch_of(1)
    ask(HTTP.build(house), batch)
    house.advance(10, lambda _headers, _body: 200)

    known = query(house, [batch[0].reference])

    assert known is not None
    found = known[batch[0].reference]
    assert (found.outcome, found.state, found.code) == ("accepted", "undelivered", "027")


def test_many_references_travel_in_several_requests_that_servers_take() -> None:
    with serve_in_thread() as simulator:
        carrier = HTTP.build(url=simulator.url)
        batch = batch_of(250)
        ask(carrier, batch)

        known = carrier.query([sms.reference for sms in batch], time.monotonic() + 10)

    assert known is not None
    assert len(known) == 250


@pytest.mark.parametrize(
    "answer",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        TimeoutError(),
        (503, {"code": "temporary_failure"}),
        (404, {"messages": []}),
        (201, {"messages": []}),
        (200, b""),
        (200, b"<html>"),
        (200, {}),
        (200, []),
        (200, {"messages": {}}),
        (200, {"messages": None}),
        (200, {"messages": [1]}),
        (200, {"messages": [row("a"), None]}),
        (200, {"messages": [row("a"), row("a")]}),
        (200, {"messages": [row("a"), row("A")]}),
        (200, {"messages": [row("someone-else")]}),
        (200, {"messages": [{"id": "7", "status": "accepted"}]}),
        (200, b'{"messages": [], }'),
    ],
    ids=str,
)
def test_a_doubtful_answer_is_none_at_all(answer: Any) -> None:
    assert query(Scripted(answer), ["a", "b"]) is None


def test_one_answer_of_several_that_is_lost_makes_all_of_them_nothing() -> None:
    good = (200, {"messages": []})
    references = [f"r{n}" for n in range(MAX_QUERY + 1)]

    assert query(Scripted(good, good), references) == {}
    assert query(Scripted(good, TimeoutError()), references) is None


def test_what_a_carrier_knows_but_did_not_take_is_refused() -> None:
    rows = [row("a", status="refused", code="blocked", id=None), row("b", status="full_moon")]

    known = query(Scripted((200, {"messages": rows})), ["a", "b"])

    assert known == {
        "a": QueryResult("refused", code="blocked"),
        "b": QueryResult("accepted", ON_ITS_WAY, "id-b", "full_moon:"),
    }


def test_no_time_left_is_no_answer() -> None:
    transport = Scripted((200, {"messages": []}))

    assert query(transport, ["a"], timeout_s=-1) is None
    assert transport.asked == []


@pytest.mark.parametrize("act", [reset, silence], ids=["reset", "silence"])
def test_on_the_wire(act: Any) -> None:
    with RawHouse(act) as house:
        assert query(None, ["a"], timeout_s=0.5, url=house.url) is None


def test_a_carrier_that_tells_late_says_absent_before() -> None:
    """Why an absent reference is proof only after query_settles_after_s."""
    house = InProcessTransport(rules=[{"query": {"lag_s": 30}}])
    batch = batch_of(1)
    ask(HTTP.build(house), batch)

    assert query(house, [batch[0].reference]) == {}
    house.advance(31, lambda _headers, _body: 200)
    assert query(house, [batch[0].reference])
    assert HttpCarrier.query_settles_after_s > 30


@given(st.integers(100, 599), st.binary(max_size=300) | st.text(max_size=50).map(
    lambda text: json.dumps({"messages": [{"client_ref": text}]}).encode()))  # fmt: skip
def test_nothing_breaks_it(status: int, body: bytes) -> None:
    known = query(Scripted((status, body)), ["a"])

    assert known is None or known.keys() == {"a"}
