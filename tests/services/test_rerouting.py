"""Moving queued messages from a carrier that is away to one that works."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bulksms import send_bulk, states
from bulksms.models import Decision, Message, Run
from bulksms.services import audit, dispatch, rerouting, stops
from bulksms.testing import drain
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_carriers(settings: Any) -> None:
    main = settings.BULKSMS["CARRIERS"]["main"]
    settings.BULKSMS = {
        **settings.BULKSMS,
        "CARRIERS": {"main": main, "other": main},
        "ROUTES": {"": "other"},
    }


def test_queued_messages_leave_by_the_other_carrier(carrier: FakeCarrier) -> None:
    send_bulk(recipients=kenyan_numbers(6), message="Hi", organisation=make_organisation())
    stops.stop("other", actor="amina", why="it is down")
    drain()
    assert carrier.total_accepted == 0

    moved = rerouting.reroute("other", "main", actor="amina", why="it is down")
    drain()

    assert (moved, carrier.total_accepted) == (6, 6)
    assert dict(Run.objects.values_list("carrier", "queued_count")) == {"other": 0, "main": 0}
    assert Decision.objects.get(action="reroute").scope["moved"] == 6
    assert list(audit.faults()) == []


def test_only_the_numbers_that_are_named_are_moved(carrier: FakeCarrier) -> None:
    numbers = [*kenyan_numbers(2), *kenyan_numbers(3, first=722_000_000)]
    send_bulk(recipients=numbers, message="Hi", organisation=make_organisation())

    assert rerouting.reroute("other", "main", actor="amina", prefix="25472") == 3

    carriers = Message.objects.order_by("number").values_list("carrier", flat=True)
    assert list(carriers) == ["other"] * 2 + ["main"] * 3
    assert list(audit.faults()) == []


def test_what_the_carrier_was_asked_for_already_stays_with_it(carrier: FakeCarrier) -> None:
    send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=make_organisation())
    rerouting.reroute("other", "main", actor="amina")
    assert dispatch.claim(carrier.carrier) is not None

    assert rerouting.reroute("main", "other", actor="amina") == 0
    assert set(Message.objects.values_list("carrier", "status")) == {("main", states.SENDING)}


def test_the_command_says_how_many_and_refuses_a_carrier_that_is_not_there() -> None:
    send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=make_organisation())
    out = StringIO()

    call_command("bulksms_reroute", "other", "main", stdout=out)
    with pytest.raises(CommandError, match="nowhere"):
        call_command("bulksms_reroute", "main", "nowhere")

    assert out.getvalue() == "2 queued messages go by main now.\n"
