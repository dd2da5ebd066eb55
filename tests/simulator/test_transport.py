"""The in-process transport: the same wire, without a socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from simulator import magic
from simulator.testing import InProcessTransport
from tests.simulator.helpers import HEADERS, body_of, message

URL = "http://carrier.test/v1/messages"


def post(transport: InProcessTransport, *messages: dict[str, object]) -> dict[str, object]:
    status, _, body = transport("POST", URL, HEADERS, body_of(list(messages)), 10.0)
    assert status == 200
    answer: dict[str, object] = json.loads(body)
    return answer


class AppClock:
    """A clock as an application has one."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def test_reports_come_when_the_applications_clock_says_so() -> None:
    clock = AppClock()
    transport = InProcessTransport(clock=clock, report_delay_s=60)
    post(transport, message(1))
    seen: list[bytes] = []

    def deliver(_headers: dict[str, str], body: bytes) -> int:
        seen.append(body)
        return 200

    assert transport.pump(deliver) == 0
    clock.moment += timedelta(seconds=60)
    assert transport.pump(deliver) == 1
    assert json.loads(seen[0])["at"] == "2026-05-01T00:01:00.000000Z"


def test_a_report_that_is_not_acknowledged_is_posted_again_five_times() -> None:
    transport = InProcessTransport(report_delay_s=0)
    post(transport, message(1))
    bodies: list[bytes] = []

    def refuse(_headers: dict[str, str], body: bytes) -> int:
        bodies.append(body)
        return 503

    assert transport.advance(1 + 3 + 8 + 20 + 60, refuse) == 6
    assert transport.advance(3600, refuse) == 0
    assert len(set(bodies)) == 1
    assert transport.engine.oracle.totals["reports_lost"] == 1


def test_a_lost_answer_raises_and_the_message_is_accepted_all_the_same() -> None:
    transport = InProcessTransport()
    with pytest.raises(ConnectionResetError):
        post(transport, message(1, to=magic.ANSWER_RESET))

    assert transport.engine.oracle.accepted_count("ref-1") == 1


def test_a_silent_carrier_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        post(InProcessTransport(), message(1, to=magic.ANSWER_SILENT))


def test_a_lost_request_was_not_accepted() -> None:
    transport = InProcessTransport()
    with pytest.raises(ConnectionResetError):
        post(transport, message(1, to=magic.REQUEST_RESET))

    assert transport.engine.oracle.accepted_count("ref-1") == 0


def test_a_carrier_that_is_down_reads_nothing() -> None:
    transport = InProcessTransport()
    transport.down = True
    with pytest.raises(ConnectionRefusedError):
        post(transport, message(1))

    assert transport.engine.requests == 0


def test_a_latency_beyond_the_clients_timeout_is_a_timeout_without_waiting() -> None:
    transport = InProcessTransport(rules=[{"latency": 11}])
    with pytest.raises(TimeoutError):
        post(transport, message(1))

    assert transport.engine.oracle.accepted_count("ref-1") == 1


def test_a_report_before_the_answer_is_delivered_within_the_call() -> None:
    seen: list[str] = []

    def deliver(_headers: dict[str, str], body: bytes) -> int:
        seen.append(json.loads(body)["status"])
        return 200

    transport = InProcessTransport(deliver=deliver)
    post(transport, message(1, to=magic.REPORT_BEFORE_ANSWER))

    assert seen == ["delivered"]
