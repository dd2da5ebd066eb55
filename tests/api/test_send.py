"""``POST /v1/sms/send/``: one SMS, all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms.models import Campaign, Message
from bulksms.models.outbox import SINGLE
from tests.api.helpers import SEND, Api, assert_problem, faults, world
from tests.factories import make_key, make_organisation

pytestmark = pytest.mark.django_db

ONE = {"mobile": "0712 345 678", "message": "Hi"}


def test_one_sms(host, api, organisation) -> None:
    answer = api.post(SEND, ONE)

    body = answer.json()
    message = Message.objects.get()
    campaign = Campaign.objects.get()
    assert answer.status_code == 201
    assert body.pop("created_at").endswith("Z")
    assert body == {
        "id": str(message.id),
        "campaign_id": str(campaign.id),
        "mobile": "254712345678",
        "input": "0712 345 678",
        "sender_id": "TALKNTALK",
        "message": "Hi",
        "status": "queued",
        "units": 1,
        "cost": "1.00",
        "currency": "KES",
        "errors": [],
    }
    assert campaign.kind == SINGLE


@pytest.mark.parametrize(
    ("mobile", "code"),
    [
        ("12", "invalid_recipient"),
        ("+256772123456", "destination_not_allowed"),
        (254712345678, "invalid_recipient"),
        ({}, "invalid_recipient"),
        ("\x00", "invalid_recipient"),
        ("", "invalid_recipient"),
    ],
)
def test_a_recipient_that_cannot_be_reached_is_an_error_and_nothing_is_stored(
    host, api, organisation, mobile, code
) -> None:
    before = world(organisation)

    answer = api.post(SEND, ONE | {"mobile": mobile})

    assert faults(assert_problem(answer, 400, code)) == [("mobile", code)]
    assert world(organisation) == before


def test_without_money_nothing_is_stored() -> None:
    organisation = make_organisation(balance_micros=1_500_000)
    api = Api(make_key(organisation))
    before = world(organisation)

    answer = api.post(SEND, ONE | {"message": "x" * 161})

    body = assert_problem(answer, 402, "insufficient_balance")
    assert body["detail"] == "Insufficient balance. Required KES 2.00, available KES 1.50."
    assert world(organisation) == before


def test_an_amount_that_may_not_be_exceeded(api, organisation) -> None:
    assert_problem(api.post(SEND, ONE | {"max_cost": "0.99"}), 402, "max_cost_exceeded")
    assert api.post(SEND, ONE | {"max_cost": 1}).status_code == 201


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"mobile": None}, [("mobile", "required")]),
        ({"message": None}, [("message", "message_required")]),
        ({"recipients": ["254712345678"]}, [("recipients", "unknown_field")]),
        ({"on_insufficient_funds": "partial"}, [("on_insufficient_funds", "unknown_field")]),
        (
            {"mobile": None, "message": "", "x": 1},
            [("x", "unknown_field"), ("mobile", "required"), ("message", "message_required")],
        ),
    ],
)
def test_faults(host, api, organisation, fields: dict[str, Any], expected) -> None:
    before = world(organisation)

    answer = api.post(SEND, ONE | fields)

    assert faults(assert_problem(answer, 400, expected[0][1])) == expected
    assert world(organisation) == before
