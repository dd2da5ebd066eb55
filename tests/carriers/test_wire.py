"""Every carrier over real sockets: what goes wrong on the wire, and what leaves the house."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import Any

import pytest

from bulksms.carriers import transport as transports
from simulator.testing import serve_in_thread
from tests.carriers.checks import ask, claims_nothing_was_taken
from tests.carriers.kinds import Kind, batch_of
from tests.carriers.raw import (
    Act,
    RawHouse,
    answer_with,
    close,
    http,
    pour,
    reset,
    say,
    silence,
)  # fmt: skip

HTML = b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"

#: What a server may do with a request it has read, and never says yes or no by it.
ACTS: dict[str, Act] = {
    "reset": reset,
    "close": close,
    "silence": silence,
    "half a status line": say(b"HTTP/1.1 2", then=close),
    "headers without an end": say(b"HTTP/1.1 200 OK\r\nX: y\r\n", then=close),
    "half a body": say(http(200, b'{"messages": [', length=500), then=close),
    "half a body, then silence": say(http(200, b'{"messages": [', length=500), then=silence),
    "no HTTP at all": say(b"220 mail.example.org ESMTP ready\r\n", then=close),
    "binary": say(bytes(range(256)) * 20, then=close),
    "nothing but headers": say(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000, then=close),
    "a header of 1 MB": say(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000, then=close),
    "a bad chunk": say(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", then=close
    ),
    "an endless body": pour,
    "9 MB": say(http(200, b" " * 9_000_000)),
    "gzip that is none": say(http(200, b"plain text", "Content-Encoding: gzip")),
    "a bomb": say(http(200, gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip")),
    "HTML": say(http(200, HTML, "Content-Type: text/html")),
    "HTML as 201": say(http(201, HTML, "Content-Type: application/json")),
    "nothing": say(http(200, b"")),
    "204": say(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "a bad content length": say(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", then=close),
    **{
        f"{status} to itself": say(http(status, b"", "Location: /v1/messages"))
        for status in (301, 302, 303, 307, 308)
    },
    "307 to elsewhere": say(http(307, b"", "Location: http://127.0.0.1:9/")),
    "100, then closed": say(b"HTTP/1.1 100 Continue\r\n\r\n", then=close),
    "101": say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "401 from a proxy": say(http(401, HTML, "WWW-Authenticate: Basic")),
    "407": say(http(407, HTML, "Proxy-Authenticate: Basic")),
    "408": say(http(408, HTML, "Connection: close"), then=close),
    "429 without a word": say(http(429, HTML, "Retry-After: 5")),
    "503 without a word": say(http(503, HTML)),
}


@pytest.mark.parametrize("fault", ACTS)
def test_whatever_the_server_does_it_is_asked_once_and_nothing_is_proof(
    remote: Kind, fault: str
) -> None:
    with RawHouse(ACTS[fault]) as house:
        started = time.monotonic()
        results = ask(remote.build(url=house.url), batch_of(3), timeout_s=0.6)
        took = time.monotonic() - started

    posts = [line for line, _ in house.requests if line.startswith("POST")]
    assert len(posts) == len(house.requests) == 1
    assert not any(claims_nothing_was_taken(result) for result in results.values())
    assert {result.outcome for result in results.values()} <= {"unknown"}
    assert took < 3


@pytest.mark.parametrize("how", ["reset", "close", "silence", 502, 429])
@pytest.mark.parametrize("knob", ["lose_answer", "lose_request"])
def test_the_simulator_over_http_is_asked_once(remote: Kind, knob: str, how: Any) -> None:
    batch = batch_of(3)
    with serve_in_thread(rules=[{knob: how}]) as simulator:
        results = ask(remote.build(url=simulator.url), batch, timeout_s=0.5)

    assert {result.outcome for result in results.values()} == {"unknown"}
    taken = simulator.engine.oracle.totals["accepted"]
    assert taken == (3 if knob == "lose_answer" else 0)


def test_a_dribbled_answer_is_an_answer(remote: Kind) -> None:
    with serve_in_thread(rules=[{"body": {"how": "dribble", "seconds": 0.2}}]) as simulator:
        results = ask(remote.build(url=simulator.url), batch_of(3))

    assert [result.outcome for result in results.values()] == ["accepted"] * 3


# Nothing was written: the only proof that a transport has


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def assert_nothing_was_written(results: Any) -> None:
    assert len(results) == 2
    for result in results.values():
        assert (result.outcome, result.temporary) == ("refused", True)
        assert result.code in ("no_connection", "too_late_to_ask")


def test_a_refused_connection_is_proof(remote: Kind) -> None:
    url = f"http://127.0.0.1:{closed_port()}"

    assert_nothing_was_written(ask(remote.build(url=url), batch_of(2)))


def test_a_host_without_an_address_is_proof(remote: Kind) -> None:
    carrier = remote.build(url="http://no-such-host.invalid")

    assert_nothing_was_written(ask(carrier, batch_of(2), timeout_s=3))


@pytest.mark.parametrize(("connect_s", "total_s"), [(0.2, 5.0), (5.0, 0.2)])
def test_a_connection_that_is_never_made_is_proof(
    remote: Kind, connect_s: float, total_s: float
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        crowd = [socket.socket() for _ in range(8)]  # fills the queue: further SYNs are dropped
        for sock in crowd:
            sock.setblocking(False)
            sock.connect_ex(address)
        carrier = remote.build(url=f"http://127.0.0.1:{address[1]}", connect_timeout_s=connect_s)
        try:
            assert_nothing_was_written(ask(carrier, batch_of(2), timeout_s=total_s))
        finally:
            for sock in crowd:
                sock.close()


def test_a_failed_tls_handshake_is_proof(remote: Kind) -> None:
    with RawHouse(say(b"this is no TLS\r\n", then=close), read=False) as house:
        url = house.url.replace("http://", "https://")

        assert_nothing_was_written(ask(remote.build(url=url), batch_of(2), timeout_s=2))


# The deadline


def test_a_process_that_was_frozen_past_the_deadline_writes_nothing(remote: Kind) -> None:
    with RawHouse(reset) as house:
        carrier = remote.build(url=house.url)
        transports._loop_thread().loop.call_soon_threadsafe(time.sleep, 0.6)

        results = ask(carrier, batch_of(2), timeout_s=0.3)

    assert_nothing_was_written(results)
    assert house.requests == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_nothing_is_written_after_the_deadline(remote: Kind) -> None:
    """A peer that stops reading gets what fits its window; the rest is taken back, not flushed."""

    def read_late(sock: socket.socket, _body: bytes) -> None:
        time.sleep(0.8)
        house.count(sock)

    batch = batch_of(1, "x" * 30_000_000)
    with RawHouse(read_late, read=False, receive_buffer=4096) as house:
        results = ask(remote.build(url=house.url), batch, timeout_s=0.4)
        time.sleep(0.8)

    assert results[batch[0].reference].code == "no_answer"
    assert house.received < 25_000_000


# Connections that are used again


def test_a_second_request_may_use_the_first_connection(remote: Kind) -> None:
    assert remote.accept is not None
    with RawHouse(answer_with(remote.accept)) as house:
        carrier = remote.build(url=house.url)
        for _ in range(3):
            results = ask(carrier, batch_of(2))
            assert {result.outcome for result in results.values()} == {"accepted"}

    assert (house.connections, len(house.requests)) == (1, 3)


def test_what_came_while_a_connection_was_idle_is_no_answer(remote: Kind) -> None:
    """As a proxy's 408 before it closes, or an answer that was sent twice."""
    assert remote.accept is not None
    refusal = json.dumps({"code": "queue_full"}).encode()
    with RawHouse(answer_with(remote.accept, http(503, refusal))) as house:
        carrier = remote.build(url=house.url)
        ask(carrier, batch_of(2))
        time.sleep(0.3)

        results = ask(carrier, batch_of(2))

    assert [result.outcome for result in results.values()] == ["accepted"] * 2
    assert len(house.requests) == 2


def test_a_connection_that_the_carrier_closed_is_not_used_again(remote: Kind) -> None:
    with serve_in_thread(rules=[{"close_idle": 0.05}]) as simulator:
        carrier = remote.build(url=simulator.url)
        ask(carrier, batch_of(2))
        time.sleep(0.3)

        results = ask(carrier, batch_of(2))

    assert [result.outcome for result in results.values()] == ["accepted"] * 2


def test_closing_gives_the_sockets_back_and_the_next_request_opens_new_ones(remote: Kind) -> None:
    assert remote.accept is not None
    with RawHouse(answer_with(remote.accept)) as house:
        carrier = remote.build(url=house.url)
        for _ in range(2):
            assert ask(carrier, batch_of(1))
            carrier.close()

    assert house.connections == 2
