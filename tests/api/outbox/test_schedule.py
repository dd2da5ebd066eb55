"""``POST /api/sms/schedule``: a local time and its zone."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms.models import Campaign
from tests.api.helpers import world
from tests.api.outbox.helpers import SCHEDULE, assert_error, entry, faults
from tests.factories import kenyan_numbers
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

BODY = {"recipients": kenyan_numbers(2), "message": "Hi"}


def schedule(api: Any, time: Any, zone: Any = None, **more: Any) -> Any:
    when = {"scheduleTime": time} | ({} if zone is None else {"timeZone": zone})
    return api.post(SCHEDULE, BODY | when | more)


def test_many_later(host, api) -> None:
    answer = schedule(api, "2026-01-06T08:00:00", "Africa/Nairobi")

    body = answer.json()
    found = body["bulkOutboxEntry"]
    assert answer.status_code == 201
    assert body["scheduleId"] == found["outboxId"] == str(Campaign.objects.get().id)
    assert (found["scheduledAt"], found["status"]) == ("2026-01-06T05:00:00Z", "pending")
    assert body["message"] == "Bulk SMS accepted."


def test_one_later(api, carrier: FakeCarrier) -> None:
    when = {"scheduleTime": "2026-01-06T08:00", "timeZone": "Africa/Nairobi"}
    body = api.post(SCHEDULE, {"recipient": "0712345678", "message": "Hi"} | when).json()

    assert body["scheduleId"] == body["outboxEntry"]["outboxId"]
    carrier.run(hours=19)
    assert carrier.total_accepted == 0
    carrier.run(hours=2)
    carrier.run()
    assert entry(api, body["scheduleId"])["status"] == "sent"


@pytest.mark.parametrize(
    ("time", "zone", "utc"),
    [
        ("2026-03-28T02:30:00", "Europe/Berlin", "2026-03-28T01:30:00Z"),
        # The clocks show this hour twice: the first one is meant.
        ("2025-10-26T02:30:00", "Europe/Berlin", None),
        ("2026-04-05T02:30:00", "Australia/Sydney", "2026-04-04T15:30:00Z"),
        ("2026-01-06T08:00:00+03:00", None, "2026-01-06T05:00:00Z"),
        ("2026-01-06 08:00", "Asia/Kathmandu", "2026-01-06T02:15:00Z"),
    ],
)
def test_local_times(api, time, zone, utc) -> None:
    answer = schedule(api, time, zone)

    if utc is None:
        assert_error(answer, 400, "in_the_past")
    else:
        assert answer.json()["bulkOutboxEntry"]["scheduledAt"] == utc


WRONG: list[tuple[Any, Any, tuple[str, str]]] = [
    ("2026-03-29T02:30:00", "Europe/Berlin", ("scheduleTime", "skipped_local_time")),
    ("2026-01-05T11:59:59", "Africa/Nairobi", ("scheduleTime", "in_the_past")),
    ("2026-01-05T12:00:00", "Africa/Nairobi", ("scheduleTime", "in_the_past")),
    ("2026-08-01T00:00:00", "Africa/Nairobi", ("scheduleTime", "too_far_ahead")),
    ("2026-01-06T08:00:00", None, ("timeZone", "time_zone_required")),
    ("2026-01-06T08:00:00", "Nairobi", ("timeZone", "unknown_time_zone")),
    ("2026-01-06T08:00:00", "../../etc/passwd", ("timeZone", "unknown_time_zone")),
    ("2026-01-06T08:00:00", "\x00", ("timeZone", "unknown_time_zone")),
    ("2026-01-06T08:00:00", "", ("timeZone", "unknown_time_zone")),
    ("2026-01-06T08:00:00", 3, ("timeZone", "invalid_type")),
    ("2026-01-06T08:00:00Z", "Africa/Nairobi", ("timeZone", "two_time_zones")),
    ("0001-01-01T00:00:00", "Asia/Tokyo", ("scheduleTime", "invalid_datetime")),
    ("9999-12-31T23:59:59", "America/New_York", ("scheduleTime", "invalid_datetime")),
    ("2026-02-30T08:00:00", "Africa/Nairobi", ("scheduleTime", "invalid_datetime")),
    (None, "Africa/Nairobi", ("scheduleTime", "required")),
    (5, "Africa/Nairobi", ("scheduleTime", "invalid_type")),
]


def test_times_that_are_none(api, organisation) -> None:
    before = world(organisation)

    for time, zone, expected in WRONG:
        answer = schedule(api, time, zone)
        found = faults(assert_error(answer, 400, expected[1]))
        assert found[0] == expected, (time, zone)
    assert world(organisation) == before


def test_the_sentence_names_the_field(api) -> None:
    body = schedule(api, "2026-01-05T11:00:00", "Africa/Nairobi").json()

    assert body["message"] == "scheduleTime is not in the future."


def test_a_schedule_has_one_time(api) -> None:
    answer = schedule(
        api, "2026-01-06T08:00:00", "Africa/Nairobi", scheduleTimestamp="2026-01-06T08:00:00Z"
    )

    assert_error(answer, 400, "unknown_field")


def test_a_body_with_other_faults_is_told_them_all(api) -> None:
    body = {"recipients": 5, "message": "", "scheduleTime": "x", "timeZone": "y", "foo": 1}

    answer = api.post(SCHEDULE, body)

    assert set(faults(assert_error(answer, 400, "unknown_field"))) == {
        ("foo", "unknown_field"),
        ("scheduleTime", "invalid_datetime"),
        ("recipients", "invalid_type"),
        ("message", "message_required"),
    }
