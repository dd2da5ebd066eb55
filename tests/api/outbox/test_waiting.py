"""``Prefer: wait=N``: a small send that answers with the final picture, as the page's sample."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms.api.outbox import waiting
from tests.api.outbox.helpers import PAGE_BODY, SEND, SEND_BULK
from tests.harness import FakeCarrier

WAIT = {"prefer": "wait=5"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, in steps; the clock of the wait moves by them, nobody sleeps."""
    found: list[float] = []
    monkeypatch.setattr(waiting, "pause", found.append)
    monkeypatch.setattr(waiting, "monotonic", lambda: sum(found))
    return found


@pytest.fixture
def _busy_carrier(carrier: FakeCarrier, pauses: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody waits, a worker works."""

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        carrier.run()

    monkeypatch.setattr(waiting, "pause", pause)


@pytest.mark.django_db
@pytest.mark.usefixtures("_busy_carrier")
class TestTheFinalPicture:
    def test_of_the_pages_request(self, host, api) -> None:
        answer = api.post(SEND_BULK, PAGE_BODY, **WAIT)

        body = answer.json()
        assert answer.status_code == 201
        assert body["message"] == "Bulk SMS sent."
        assert body["bulkOutboxEntry"]["status"] == "sent"
        assert body["bulkOutboxEntry"]["timestamps"]["completedAt"] == "2026-01-05T09:00:10Z"
        assert answer["Preference-Applied"] == "wait=5"

    def test_partially(self, poor) -> None:
        order = {"recipients": ["0712345678", "12"], "message": "Hi"}

        body = poor.post(SEND_BULK, order, **WAIT).json()

        assert body["message"] == "Bulk SMS sent partially. Check nested outbox for details."
        assert body["bulkOutboxEntry"]["status"] == "partial"

    def test_of_a_single(self, api) -> None:
        order = {"recipient": "0712345678", "message": "Hi"}

        body = api.post(SEND, order, **WAIT).json()

        assert (body["message"], body["outboxEntry"]["deliveryStatus"]) == (
            "SMS sent.", "delivered",
        )  # fmt: skip

    def test_a_schedule_is_not_waited_for(self, api, pauses) -> None:
        order = PAGE_BODY | {"scheduleTimestamp": "2026-01-06T08:00:00Z"}

        answer = api.post(SEND_BULK, order, **WAIT)

        assert pauses == []
        assert "Preference-Applied" not in answer


@pytest.mark.django_db
def test_when_time_is_over_the_answer_is_as_it_is_then(api, pauses) -> None:
    answer = api.post(SEND_BULK, PAGE_BODY, prefer="wait=2")

    assert answer.json()["bulkOutboxEntry"]["status"] == "pending"
    assert sum(pauses) == pytest.approx(2, abs=waiting.POLL_S)


@pytest.mark.django_db
def test_without_the_header_nobody_waits(api, pauses) -> None:
    api.post(SEND_BULK, PAGE_BODY)

    assert pauses == []


@pytest.mark.django_db
def test_with_four_waiting_the_fifth_is_answered_at_once(api, monkeypatch) -> None:
    """One inside the other: while it waits, each one lets the next one in."""
    answers: list[Any] = []
    depth: list[int] = []

    def pause(_: float) -> None:
        depth.append(1)
        if len(depth) <= waiting.MAX_WAITERS:
            answers.append(bulk_that_waits(api))

    monkeypatch.setattr(waiting, "pause", pause)
    monkeypatch.setattr(waiting, "monotonic", lambda: 1_000 * len(depth))

    answers.append(bulk_that_waits(api))

    applied = ["Preference-Applied" in answer for answer in answers]
    assert applied == [False, True, True, True, True]
    assert {answer.status_code for answer in answers} == {201}


def bulk_that_waits(api: Any) -> Any:
    return api.post(SEND_BULK, {"recipients": ["0712345678"], "message": "Hi"}, **WAIT)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("wait=5", 5),
        ("wait=0", 0),
        ("wait=11", 10),
        ("wait=999999999", 10),
        ("Wait = 3", 3),
        ("respond-async, wait=4", 4),
        ("handling=lenient; x=y, wait=4; foo", 4),
        ('wait="6"', 6),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=x", 0),
        ("await=5", 0),
        ("wait=٣", 0),
        ("", 0),
        ("," * 100_000, 0),
    ],
)
def test_how_long_the_client_would_wait(header, expected) -> None:
    assert waiting.seconds(header) == expected
