"""Sensitive texts: kept until nothing more is asked with them, then blanked."""

from __future__ import annotations

import datetime as dt

import pytest

from bulksms import clock, send_bulk
from bulksms.models import Campaign, Message
from bulksms.services import audit, control, retrying, sensitive
from bulksms.services.retrying import Wanted
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

CODE = "Your code is 482913"


def texts() -> set[str | None]:
    kept = set(Campaign.objects.values_list("message", flat=True))
    return kept | set(Message.objects.values_list("text", flat=True))


def send_own_texts(count: int) -> Campaign:
    numbers = kenyan_numbers(count)
    return send_bulk(
        messages=[{"to": number, "message": f"{CODE} {number}"} for number in numbers],
        sensitive=True, organisation=make_organisation(),
    ).campaign  # fmt: skip


def test_the_carrier_gets_the_text_and_then_nobody_has_it(carrier: FakeCarrier) -> None:
    send_bulk(
        recipients=kenyan_numbers(2), message=CODE, sensitive=True, organisation=make_organisation()
    )
    carrier.run()

    sent = [record.text for record in carrier.transport.engine.oracle.records()]
    assert sent == [CODE, CODE]
    assert texts() == {"", None}
    assert list(audit.faults()) == []


def test_own_texts_go_in_bounded_batches(carrier: FakeCarrier, monkeypatch) -> None:
    monkeypatch.setattr(sensitive, "BATCH", 2)
    send_own_texts(5)

    carrier.run()

    assert texts() == {""}


def test_what_may_still_be_asked_for_keeps_its_text() -> None:
    campaign = send_own_texts(2)
    none = dict.fromkeys(("queued_count", "sending_count", "unknown_count"), 0)

    for column in ("queued_count", "sending_count", "unknown_count"):
        Campaign.objects.filter(id=campaign.id).update(**{**none, column: 2})
        assert sensitive.blank_due(clock.now()) == 0

    assert "" not in set(Message.objects.values_list("text", flat=True))


def test_a_cancelled_one_is_blanked_although_it_was_never_sent() -> None:
    later = clock.now() + dt.timedelta(days=1)
    organisation = make_organisation()
    sent = send_bulk(
        recipients=kenyan_numbers(1), message=CODE, sensitive=True, scheduled_at=later,
        organisation=organisation,
    )  # fmt: skip
    assert sensitive.blank_due(clock.now()) == 0

    control.cancel(organisation, sent.id)

    assert sensitive.blank_due(clock.now()) == 1
    assert texts() == {"", None}


@pytest.mark.parametrize("own", [True, False])
def test_a_blanked_message_is_not_sent_again_and_says_why(own: bool) -> None:
    organisation = make_organisation(balance_micros=0)
    numbers = kenyan_numbers(2)
    common = {"recipients": numbers, "message": CODE}
    each = {"messages": [{"to": number, "message": CODE} for number in numbers]}
    sent = send_bulk(**(each if own else common), sensitive=True, organisation=organisation)
    sensitive.blank_due(clock.now())
    organisation.wallet.refresh_from_db()

    retried = retrying.retry(organisation, sent.id, Wanted())

    assert [row.error for row in retried.rows] == ["text_blanked", "text_blanked"]
    assert retried.queued == 0


def test_other_texts_stay(carrier: FakeCarrier) -> None:
    send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=make_organisation())
    carrier.run()

    assert sensitive.blank_due(clock.now()) == 0
    assert texts() == {"Hi", None}


def test_a_blanked_campaign_is_not_looked_at_again(django_assert_num_queries) -> None:
    send_bulk(recipients=["12"], message=CODE, sensitive=True, organisation=make_organisation())
    sensitive.blank_due(clock.now())

    with django_assert_num_queries(1):
        assert sensitive.blank_due(clock.now()) == 0
