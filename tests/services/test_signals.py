"""What a host project hears: after the commit, in batches, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bulksms import send_bulk, signals
from bulksms.testing import drain
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db(transaction=True)

Heard = list[tuple[str, Any]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    taken: Heard = []

    def messages(campaign_id: Any, message_ids: Any, **_: Any) -> None:
        taken.append(("messages", set(message_ids)))

    def campaign(campaign_id: Any, **_: Any) -> None:
        taken.append(("campaign", campaign_id))

    signals.messages_finished.connect(messages)
    signals.campaign_finished.connect(campaign)
    yield taken
    signals.messages_finished.disconnect(messages)
    signals.campaign_finished.disconnect(campaign)


def test_done_messages_and_their_campaign_are_announced_once(
    heard: Heard, carrier: FakeCarrier
) -> None:
    result = send_bulk(recipients=kenyan_numbers(5), message="Hi", organisation=make_organisation())

    drain()
    assert heard == []
    carrier.run()
    carrier.run()

    ids = {draft.id for draft in result.drafts}
    assert [("messages", ids), ("campaign", result.id)] == sorted(heard, reverse=True)


def test_a_corrected_message_is_not_announced_again(heard: Heard) -> None:
    rules = [{"report": {"state": "delivered", "delay_s": 80 * 3600}}]
    with fake_carrier(rules=rules) as house:
        send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=make_organisation())
        house.run(hours=73)
        assert {kind for kind, _ in heard} == {"campaign", "messages"}

        house.run(hours=20)

        assert len(heard) == 2


def test_a_receiver_that_fails_breaks_nothing(carrier: FakeCarrier) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the host's own bug")

    signals.messages_finished.connect(fail)
    try:
        result = send_bulk(
            recipients=kenyan_numbers(2), message="Hi", organisation=make_organisation()
        )
        carrier.run()
    finally:
        signals.messages_finished.disconnect(fail)

    result.campaign.refresh_from_db()
    assert result.campaign.delivered_count == 2
