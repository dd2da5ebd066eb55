"""What a host project's tests are given: nothing leaves, and one line says what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase

from bulksms import send_bulk, send_sms
from bulksms.carriers.base import OutboundSms
from bulksms.carriers.http import HttpCarrier
from bulksms.models import Message
from bulksms.services import organisations, routing
from bulksms.testing import assert_not_sent, assert_sent, capture_sms, drain, outbox

pytest_plugins = ["bulksms.pytest_plugin"]

Outbox = list[OutboundSms]


def test_what_is_sent_is_in_the_outbox(sms_outbox: Outbox) -> None:
    send_sms("0712345678", "Your code is 1234")
    drain()
    assert [(sms.to, sms.text) for sms in sms_outbox] == [("254712345678", "Your code is 1234")]


def test_the_outbox_starts_empty(sms_outbox: Outbox) -> None:
    assert sms_outbox == []
    assert sms_outbox is outbox


def test_the_real_carrier_is_back_afterwards(db: None) -> None:
    with capture_sms():
        assert not isinstance(routing.carrier("main"), HttpCarrier)
    assert isinstance(routing.carrier("main"), HttpCarrier)


def test_assert_sent_does_the_work_and_returns_the_message(sms_outbox: Outbox) -> None:
    send_sms("0712345678", "Your code is 1234")
    sms = assert_sent(to="+254 712 345 678", containing="code", units=1, max_cost="1.00", count=1)
    assert sms.text == "Your code is 1234"
    assert sms.sender == "TEST"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"to": "0723456789"}, r"0 sent to '0723456789'. Sent: \n  to \+254712345678: 'Hi'"),
        ({"containing": "bill"}, "0 sent to anybody containing 'bill'"),
        ({"units": 2}, r"it took 1 part\(s\), not 2"),
        ({"max_cost": "0.99"}, r"it cost 1\.00, more than 0\.99"),
        ({"count": 2}, "1 sent to anybody"),
        ({"to": "12"}, "no number that could be texted"),
    ],
)
def test_assert_sent_says_what_was_sent_instead(
    sms_outbox: Outbox, wanted: dict[str, Any], said: str
) -> None:
    send_sms("0712345678", "Hi")
    with pytest.raises(AssertionError, match=said):
        assert_sent(**wanted)


def test_assert_sent_says_why_a_message_was_refused(sms_outbox: Outbox) -> None:
    send_sms("071234", "Hi")
    with pytest.raises(AssertionError, match=r"not sent \(invalid_recipient\): Too short"):
        assert_sent()


def test_a_long_text_costs_its_parts(sms_outbox: Outbox) -> None:
    send_sms("0712345678", "x" * 161)
    assert_sent(units=2, max_cost="2.00")


def test_assert_not_sent(sms_outbox: Outbox) -> None:
    send_bulk(recipients=["0712345678"], message="Hi")
    assert_not_sent(to="0723456789")
    with pytest.raises(AssertionError, match="1 sent"):
        assert_not_sent(containing="Hi")


def test_prices_of_your_own_stay(db: None) -> None:
    house = organisations.house()
    organisations.set_rate(250_000, currency="KES", at=house.created_at)
    with capture_sms():
        send_sms("0712345678", "Hi")
        assert_sent(max_cost="0.25")
    assert Message.objects.get().cost_micros == 250_000


class InATestCase(TestCase):
    """The same without pytest."""

    def setUp(self) -> None:
        self.enterContext(capture_sms())

    def test_the_outbox_of_a_test_case(self) -> None:
        send_sms("0712345678", "Hi")
        assert assert_sent(containing="Hi").to == "254712345678"
