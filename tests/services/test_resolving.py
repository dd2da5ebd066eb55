"""Unknown messages: the carrier's query is proof or it is not; a person may decide."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms import send_bulk, states
from bulksms.models import Campaign, Decision, Message, MessageAttempt
from bulksms.services import audit, resolving, wallet
from bulksms.testing import drain, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

PRICE = 1_000_000
#: The first request is lost, all later ones are answered.
LOSE_FIRST_REQUEST = [{"match": {"nth": 1}, "lose_request": {"how": "reset"}}]
LOSE_FIRST_ANSWER = [{"match": {"nth": 1}, "lose_answer": {"how": "reset"}, "report": False}]


def send(count: int = 3) -> Campaign:
    organisation = make_organisation(balance_micros=count * PRICE, price_micros=PRICE)
    return send_bulk(
        recipients=kenyan_numbers(count), message="Hi", organisation=organisation
    ).campaign


def states_of(campaign: Campaign) -> set[str]:
    rows = Message.objects.filter(campaign=campaign)
    return set(rows.values_list("status", flat=True))


def wait(house: FakeCarrier, seconds: float) -> None:
    """Let time pass in steps, as a running tick would see it."""
    for _ in range(int(seconds // 30) + 1):
        house.run(seconds=30)


def test_a_lost_request_is_proved_not_accepted_by_two_queries_and_then_sent_once() -> None:
    with fake_carrier(rules=LOSE_FIRST_REQUEST) as house:
        campaign = send()

        drain()
        assert states_of(campaign) == {states.UNKNOWN}
        wait(house, 290)
        assert states_of(campaign) == {states.UNKNOWN}, "asked again before the query settles"
        wait(house, 120)

        assert states_of(campaign) == {states.DELIVERED}
        assert (house.total_accepted, house.duplicates) == (3, (0, 0))
        assert list(audit.faults()) == []


def test_a_lost_answer_is_found_by_the_query_and_never_sent_again() -> None:
    with fake_carrier(rules=LOSE_FIRST_ANSWER) as house:
        campaign = send()

        drain()
        wait(house, 420)

        assert states_of(campaign) <= {states.SENT, states.DELIVERED}
        assert (house.total_accepted, house.duplicates) == (3, (0, 0))
        assert list(audit.faults()) == []


def test_one_query_that_knows_nothing_is_no_proof() -> None:
    """A query may lag behind: after one answer nothing is sent again."""
    with fake_carrier(rules=LOSE_FIRST_REQUEST) as house:
        campaign = send()
        drain()
        virtual_clock.advance(seconds=301)

        assert [resolving.query_once(id_) for id_ in resolving.due(virtual_clock.now())] == [0]

        assert states_of(campaign) == {states.UNKNOWN}
        assert house.total_accepted == 0


def test_a_carrier_that_cannot_be_asked_proves_nothing() -> None:
    with fake_carrier(rules=LOSE_FIRST_REQUEST) as house:
        campaign = send()
        drain()
        house.transport.down = True

        wait(house, 600)

        assert states_of(campaign) == {states.UNKNOWN}


@pytest.mark.parametrize(
    ("outcome", "status", "charge"),
    [
        ("accepted", states.SENT, states.CAPTURED),
        ("delivered", states.DELIVERED, states.CAPTURED),
        ("not-accepted", states.FAILED, states.RELEASED),
        ("resend", states.QUEUED, states.HELD),
    ],
)
def test_a_person_decides_about_unknown_messages(outcome: str, status: str, charge: str) -> None:
    with fake_carrier(rules=LOSE_FIRST_REQUEST):
        campaign = send()
        drain()

        rows = resolving.unknown_messages(campaign_id=campaign.pk)
        moved = resolving.decide(rows, outcome, actor="amina", why="asked the carrier by phone")

        assert moved == 3
        found = Message.objects.filter(campaign=campaign).values_list("status", "charge")
        assert set(found) == {(status, charge)}
        decision = Decision.objects.get()
        assert (decision.actor, decision.action, decision.rows_count) == (
            "amina", f"resolve as {outcome}", 3,
        )  # fmt: skip
        assert list(audit.faults()) == []


def test_a_resend_is_a_new_attempt_with_a_reference_of_its_own() -> None:
    with fake_carrier(rules=LOSE_FIRST_REQUEST) as house:
        campaign = send(1)
        drain()
        resolving.decide(
            resolving.unknown_messages(), resolving.RESEND, actor="amina", why="must arrive"
        )

        house.run()
        house.run()

        message = Message.objects.get(campaign=campaign)
        assert (message.status, message.attempt) == (states.DELIVERED, 2)
        assert (house.accepted(message.id), house.accepted(f"{message.id}-2")) == (0, 1)
        old = MessageAttempt.objects.get(message=message)
        assert (old.attempt, old.status, old.charge) == (1, states.UNKNOWN, states.NONE)
        assert wallet.of(campaign.organisation).available_micros == 0
        assert list(audit.faults()) == []


def test_a_resend_that_still_waits_ends_when_the_first_attempt_turns_out_to_have_arrived() -> None:
    rules: list[Any] = [{"match": {"nth": 1}, "lose_answer": {"how": "reset"}}]
    with fake_carrier(rules=rules) as house:
        send(1)
        drain()
        resolving.decide(
            resolving.unknown_messages(), resolving.RESEND, actor="amina", why="must arrive"
        )
        house.transport.down = True  # the second attempt waits in the queue

        house.run()

        message = Message.objects.get()
        assert (message.status, message.attempt) == (states.DELIVERED, 2)
        # Its money paid for both: the carrier did the work once.
        assert (message.charge, house.total_accepted) == (states.CAPTURED, 1)
        assert MessageAttempt.objects.get().late_status == states.DELIVERED
        assert list(audit.faults()) == []
