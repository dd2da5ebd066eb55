"""Pause, resume, cancel, reschedule and retry in any order, with requests under way: nothing is
asked after a pause, counts add up, and every open hold goes to zero in the end."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulksms import send_bulk, states
from bulksms.exceptions import Conflict, InvalidRequest
from bulksms.models import Campaign, CarrierState, Hold, Message
from bulksms.services import audit, control, dispatch, reconcile, retrying
from bulksms.services.claiming import Claim
from bulksms.services.retrying import Wanted
from bulksms.testing import drain, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

#: tests/soak does the same with everything else around it; this is the close look.
CASES = int(os.environ.get("BULKSMS_CASES", "250")) // 10
RULES = [
    {"match": {"share": 6}, "report": "undelivered"},
    {"match": {"share": 7}, "refuse": {"code": "temporary_failure", "tries": 2}},
    {"match": {"share": 8}, "refuse": {"code": "invalid_number"}},
]


class Story:
    """One campaign, what is done to it, and what its carrier was asked for meanwhile."""

    def __init__(self, house: FakeCarrier, *, in_hours: int) -> None:
        self.house = house
        self.organisation = make_organisation()
        at = virtual_clock.now() + dt.timedelta(hours=in_hours) if in_hours else None
        self.id = send_bulk(
            recipients=kenyan_numbers(9), message="Hi", organisation=self.organisation,
            scheduled_at=at,
        ).id  # fmt: skip
        self.claim: Claim | None = None
        #: What may still be asked for since the last pause or cancellation; None = anything.
        self.most: int | None = None

    @property
    def campaign(self) -> Campaign:
        return Campaign.objects.get(pk=self.id)

    def begin_a_request(self) -> None:
        if self.claim is None:
            self.claim = dispatch.claim(self.house.carrier)

    def finish_the_request(self) -> None:
        claim, self.claim = self.claim, None
        if claim is None or not claim.rows:
            return
        prepared = self.house.carrier.prepare(claim.batch)
        asked_at = dispatch.begin(claim)
        if asked_at is not None:
            results = dispatch.submit(self.house.carrier, prepared, time.monotonic() + 10)
            dispatch.record(claim, prepared, results, asked_at)

    def whole_request(self) -> None:
        dispatch.run_once("main")

    def _stop(self, deed: Callable[..., object]) -> None:
        with suppress(Conflict):
            deed(self.organisation, self.id)
            under_way = len(self.claim.rows) if self.claim else 0
            self.most = self.house.total_accepted + under_way

    def pause(self) -> None:
        self._stop(control.pause)

    def cancel(self) -> None:
        self._stop(control.cancel)

    def resume(self) -> None:
        with suppress(Conflict):
            control.resume(self.organisation, self.id)
            self.most = None

    def reschedule(self) -> None:
        with suppress(Conflict, InvalidRequest):
            later = virtual_clock.now() + dt.timedelta(hours=3)
            control.reschedule(self.organisation, self.id, later)

    def retry(self) -> None:
        with suppress(Conflict):
            if retrying.retry(self.organisation, self.id, Wanted()).queued:
                paused = self.campaign.status == states.PAUSED
                self.most = self.most if paused else None

    def let_time_pass(self) -> None:
        virtual_clock.advance(minutes=50)
        self.house.transport.pump()
        reconcile.tick_once()

    def check(self) -> None:
        """Counters are counts (a CHECK adds them up), and nobody was asked for too much."""
        for status, column in states.COUNTERS.items():
            rows = Message.objects.filter(campaign_id=self.id, status=status).count()
            assert getattr(self.campaign, column) == rows, column
        assert self.most is None or self.house.total_accepted <= self.most
        assert self.house.duplicates[0] == 0

    def end(self) -> None:
        """Let it go on if it is paused, and wait until everything is over."""
        self.finish_the_request()
        self.resume()
        for _ in range(8):
            drain()
            self.house.run(hours=25)
        assert self.campaign.done_count == 9
        assert self.campaign.status in (states.COMPLETED, states.CANCELLED)
        assert not Hold.objects.filter(closed_at=None).exists()
        assert [str(fault) for fault in audit.faults()] == []


DEEDS = [
    Story.begin_a_request, Story.finish_the_request, Story.whole_request, Story.pause,
    Story.resume, Story.cancel, Story.reschedule, Story.retry, Story.let_time_pass,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@given(
    deeds=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=14),
    in_hours=st.sampled_from([0, 2]),
    max_batch=st.integers(1, 9),
)
@settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_counts_add_up_and_nothing_leaves_after_a_pause(
    deeds: list[Callable[[Story], None]], in_hours: int, max_batch: int
) -> None:
    virtual_clock.reset()
    with transaction.atomic(), fake_carrier(rules=RULES, max_batch=max_batch, window=3) as house:
        CarrierState.objects.all().delete()
        story = Story(house, in_hours=in_hours)
        for deed in deeds:
            deed(story)
            story.check()
        story.end()
        transaction.set_rollback(True)
