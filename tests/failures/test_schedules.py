"""Sent at the wrong hour, or every time the scheduler looked: what went wrong elsewhere.
docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bulksms import states
from bulksms.exceptions import InvalidRequest
from bulksms.models import Campaign
from bulksms.testing import drain, tick, virtual_clock
from tests.failures.world import check, send, states_of
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_scheduler_that_looks_ten_times_sends_once(carrier: FakeCarrier) -> None:
    campaign = send(3, scheduled_at=virtual_clock.now() + dt.timedelta(hours=1))
    virtual_clock.advance(hours=1)

    for _ in range(10):
        tick()
        drain()
        virtual_clock.advance(seconds=1)
        carrier.transport.pump()
    drain()

    check(carrier)
    assert (states_of(campaign), carrier.total_accepted) == ({states.DELIVERED: 3}, 3)
    campaign.refresh_from_db()
    assert campaign.status == states.COMPLETED, "still waiting for its time"


@pytest.mark.parametrize(
    ("local", "fold", "utc"),
    [
        # 29 March 2026, 02:00: the clocks go forward. The days around it keep their local hour.
        (dt.datetime(2026, 3, 28, 8, 0), 0, "2026-03-28T07:00+00:00"),  # noqa: DTZ001
        (dt.datetime(2026, 3, 30, 8, 0), 0, "2026-03-30T06:00+00:00"),  # noqa: DTZ001
        # The hour that is skipped: as if the clock had not been changed yet, so 03:30.
        (dt.datetime(2026, 3, 29, 2, 30), 0, "2026-03-29T01:30+00:00"),  # noqa: DTZ001
    ],
)
def test_a_local_time_is_kept_across_a_change_of_the_clocks(
    carrier: FakeCarrier, local: dt.datetime, fold: int, utc: str
) -> None:
    campaign = send(1, scheduled_at=local.replace(tzinfo=BERLIN, fold=fold))
    at = dt.datetime.fromisoformat(utc)
    assert campaign.scheduled_at is not None
    assert campaign.scheduled_at.astimezone(dt.UTC) == at

    before = at - dt.timedelta(seconds=1) - virtual_clock.now()
    virtual_clock.advance(seconds=before.total_seconds())
    tick()
    drain()
    assert carrier.total_accepted == 0
    virtual_clock.advance(seconds=1)
    tick()
    drain()

    assert carrier.total_accepted == 1


@pytest.mark.parametrize(("fold", "hour"), [(0, 0), (1, 1)])
def test_of_an_hour_that_comes_twice_the_named_one_is_meant(fold: int, hour: int) -> None:
    virtual_clock.advance(days=200)
    local = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)

    campaign = send(1, scheduled_at=local)

    stored = Campaign.objects.get(pk=campaign.pk).scheduled_at
    assert stored == dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC)


def test_a_time_without_a_zone_is_refused_rather_than_guessed(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"

    with pytest.raises(InvalidRequest) as caught:
        send(1, scheduled_at=dt.datetime(2026, 3, 30, 8, 0))  # noqa: DTZ001

    assert caught.value.code == "time_zone_required"
