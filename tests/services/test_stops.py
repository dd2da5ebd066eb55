"""Stop switches and the suppression list: asked at intake, and again before a message leaves."""

from __future__ import annotations

import pytest

from bulksms import send_bulk, states
from bulksms.exceptions import SendingStopped
from bulksms.models import Campaign, Decision, Message, SenderId
from bulksms.services import audit, stops, suppression, wallet
from bulksms.testing import drain
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db


def test_everything_stopped_refuses_new_requests_and_holds_back_queued_ones(
    carrier: FakeCarrier,
) -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=organisation)
    stops.stop(actor="amina", why="wrong text")

    with pytest.raises(SendingStopped):
        send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=organisation)
    drain()
    assert carrier.total_accepted == 0
    stops.resume(actor="amina")
    carrier.run()

    assert carrier.total_accepted == 3
    assert list(Decision.objects.values_list("action", flat=True)) == ["stop", "resume"]


def test_a_stopped_organisation_waits_and_others_go_on(carrier: FakeCarrier) -> None:
    stopped, other = make_organisation(), make_organisation()
    for organisation in (stopped, other):
        send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)
    stops.set_active(stopped, active=False, actor="amina", why="abuse")

    drain()

    assert set(Message.objects.filter(organisation=stopped).values_list("status", flat=True)) == {
        states.QUEUED
    }
    assert carrier.total_accepted == 2
    with pytest.raises(SendingStopped) as caught:
        send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=stopped)
    assert caught.value.code == "organisation_stopped"


def test_a_suppressed_number_is_refused_at_no_cost() -> None:
    organisation, other = make_organisation(), make_organisation()
    numbers = kenyan_numbers(3)
    suppression.suppress(numbers[:1], reason="asked us to", organisation=organisation)
    suppression.suppress(numbers[1:2], reason="deceased")

    ours = send_bulk(recipients=numbers, message="Hi", organisation=organisation)
    theirs = send_bulk(recipients=numbers, message="Hi", organisation=other)

    assert [d.error for d in ours.drafts] == ["suppressed", "suppressed", ""]
    assert [d.error for d in theirs.drafts] == ["", "suppressed", ""]
    assert ours.total_cost_micros == 1_000_000


def test_a_number_suppressed_after_acceptance_gets_nothing_and_its_money_comes_back(
    carrier: FakeCarrier,
) -> None:
    organisation = make_organisation(balance_micros=3_000_000)
    numbers = kenyan_numbers(3)
    send_bulk(recipients=numbers, message="Hi", organisation=organisation)
    assert suppression.suppress(numbers[:1], organisation=organisation) == 1
    assert suppression.suppress(numbers[:1], organisation=organisation) == 0

    carrier.run()

    refused = Message.objects.get(number=numbers[0])
    assert (refused.status, refused.error, refused.charge) == (
        states.FAILED, "suppressed", states.RELEASED,
    )  # fmt: skip
    assert carrier.total_accepted == 2
    assert wallet.of(organisation).available_micros == 1_000_000
    assert Campaign.objects.get().status == states.COMPLETED
    assert list(audit.faults()) == []


def test_all_rows_of_a_request_may_be_refused_and_the_rest_goes_on(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=organisation)
    SenderId.objects.filter(organisation=organisation).update(status="revoked")
    other = make_organisation()
    send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=other)

    carrier.run()

    errors = Message.objects.filter(organisation=organisation).values_list("error", flat=True)
    assert set(errors) == {"sender_not_allowed"}
    assert carrier.total_accepted == 2
    assert list(audit.faults()) == []


def test_a_number_taken_off_the_list_gets_messages_again() -> None:
    organisation = make_organisation()
    suppression.suppress(kenyan_numbers(1), organisation=organisation)

    assert suppression.lift(kenyan_numbers(1), organisation=organisation) == 1

    result = send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=organisation)
    assert result.queued == 1
