"""What the soak found, or found too seldom for a short run, said once more in a few lines."""

from __future__ import annotations

import pytest

from bulksms import send_bulk
from bulksms.exceptions import Conflict
from bulksms.models import Message
from bulksms.services import claiming, control, reconcile
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier
from tests.virtual import _virtual_time

__all__ = ["_virtual_time"]

pytestmark = pytest.mark.django_db


def test_urgent_requests_too_are_no_more_than_the_window() -> None:
    with fake_carrier(max_batch=1, window=2) as house:
        send_bulk(
            recipients=kenyan_numbers(5), message="Hi", organisation=make_organisation(),
            priority="high",
        )  # fmt: skip

        claims = [claiming.claim(house.carrier) for _ in range(5)]

    assert [claim is not None for claim in claims] == [True, True, False, False, False]


def test_a_pause_does_not_revive_what_is_being_cancelled() -> None:
    """A row was with the carrier when its campaign was cancelled, and came back to the queue."""
    with fake_carrier() as house:
        owner = make_organisation()
        campaign = send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=owner)
        assert claiming.claim(house.carrier) is not None
        control.cancel(owner, campaign.id)

        for deed in (control.pause, control.resume):
            with pytest.raises(Conflict, match="being cancelled"):
                deed(owner, campaign.id)
        virtual_clock.advance(seconds=61)
        reconcile.tick_once()
        house.run()

        assert Message.objects.get().status == "cancelled"
        assert house.total_accepted == 0
