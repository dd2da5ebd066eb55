"""Messages in the admin: found, masked in lists, told in full on one page, resolved."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from bulksms import states
from bulksms.models import Decision, Message
from bulksms.services import organisations, retrying, stories
from bulksms.testing import virtual_clock
from tests.admin.pages import end_as, make_unknown, post, said, send, url
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

LIST = "message_changelist"


def found(client: Client, **query: object) -> set[str]:
    """Ids of the messages in the list."""
    page = client.get(url(LIST), query).content.decode()
    return {
        str(pk) for pk in Message.objects.values_list("pk", flat=True) if f"{pk}/change" in page
    }


def test_a_list_shows_no_whole_number_and_no_text(root: Client) -> None:
    send(make_organisation(), 1, message="A secret text")
    page = root.get(url(LIST)).content.decode()
    assert "+2547••••000" in page
    assert kenyan_numbers(1)[0] not in page
    assert "A secret text" not in page


@pytest.mark.parametrize("term", ["254712000001", "+254712000001", "0712000001", "254 712000001"])
def test_a_message_is_found_by_its_number(root: Client, term: str) -> None:
    campaign = send(make_organisation(), 3)
    wanted = Message.objects.get(campaign=campaign, number="254712000001")
    assert found(root, q=term) == {str(wanted.pk)}


def test_messages_are_found_by_how_the_number_begins(root: Client) -> None:
    send(make_organisation(), 3)
    assert len(found(root, q="254712")) == 3
    assert found(root, q="254713") == set()


def test_a_search_by_number_goes_back_thirty_days_unless_told_otherwise(root: Client) -> None:
    send(make_organisation(), 1)
    virtual_clock.advance(days=31)
    assert found(root, q="254712000000") == set()
    assert len(found(root, q="254712000000", days="3650")) == 1


def test_messages_are_found_by_id_campaign_and_the_carriers_reference(
    root: Client, carrier: FakeCarrier
) -> None:
    organisation = make_organisation()
    campaign = send(organisation, 2)
    send(organisation, 2)
    carrier.run()
    first = Message.objects.filter(campaign=campaign).order_by("id")[0]

    assert found(root, q=first.pk) == {str(first.pk)}
    assert found(root, q=first.carrier_ref) == {str(first.pk)}
    assert len(found(root, q=campaign.pk)) == 2
    assert len(found(root, campaign=campaign.pk, state=states.DELIVERED)) == 2
    assert found(root, campaign=campaign.pk, state=states.FAILED) == set()


def test_unknown_messages_are_listed_without_a_campaign(root: Client) -> None:
    organisation = make_organisation()
    unknown = Message.objects.get(campaign=make_unknown(organisation))
    send(organisation, 1)
    assert found(root, state=states.UNKNOWN) == {str(unknown.pk)}


def test_the_story_tells_everything_about_one_message(root: Client, carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    campaign = send(organisation, 1)
    carrier.run()
    message = Message.objects.get(campaign=campaign)

    page = said(root.get(url("message_change", message.pk)))

    assert "+254712000000, a mobile number of KE" in page
    assert "the organisation's own card" in page
    assert "1 (gsm7) × KES 1.00 = KES 1.00" in page
    assert "1 sent" in page
    assert "delivered 000 applied" in page
    assert "capture KES 1.00" in page
    assert "hold KES 1.00" in page


def test_a_story_has_every_attempt_with_its_own_request_and_money(root: Client) -> None:
    organisation = make_organisation()
    with fake_carrier(rules=[{"match": {}, "report": False}]):
        campaign = send(organisation, 1)
        message = Message.objects.get(campaign=campaign)
        end_as(campaign, states.UNDELIVERED)
        virtual_clock.advance(hours=1)
        retrying.retry(organisation, campaign.pk, retrying.Wanted([message.pk]))
        end_as(campaign, states.DELIVERED)
    message.refresh_from_db()

    story = stories.tell(message)

    assert [(t.attempt, t.status) for t in story.tries] == [(1, "undelivered"), (2, "delivered")]
    assert len(story.submissions) == 2
    assert len(story.holds) == 2
    assert sorted(p.entry.kind for p in story.postings if p.is_ours) == ["capture", "capture"]
    assert "undelivered" in said(root.get(url("message_change", message.pk)))


def test_the_price_rule_is_the_one_that_was_in_force_when_it_was_priced() -> None:
    organisation = make_organisation(price_micros=700_000)
    yesterday, later = virtual_clock.now() - dt.timedelta(days=1), dt.timedelta(hours=1)
    organisations.set_rate(900_000, currency="KES", prefix="254712", at=yesterday)
    message = Message.objects.get(campaign=send(organisation, 1))
    organisations.set_rate(
        500_000, currency="KES", prefix="2547", organisation=organisation,
        at=virtual_clock.now() + later,
    )  # fmt: skip
    virtual_clock.advance(hours=2)

    story = stories.tell(message)

    assert story.rate
    assert (story.rate.price_micros, story.rate_is_own) == (message.unit_price_micros, True)
    assert (story.price, story.rate.prefix) == ("KES 0.70", "")


def test_the_story_of_a_refused_number_says_why_and_that_it_cost_nothing(root: Client) -> None:
    organisation = make_organisation()
    send(organisation, 1)
    refused = Message.objects.create(
        id="01900000-0000-7000-8000-000000000000", organisation=organisation,
        campaign=send(organisation, 1), input="12345", intake_status="failed",
        intake_error="invalid_recipient", intake_detail="Too short for a mobile number of KE.",
        status="failed", error="invalid_recipient", due_at=virtual_clock.now(),
        expires_at=virtual_clock.now(), done_at=virtual_clock.now(),
    )  # fmt: skip

    page = said(root.get(url("message_change", refused.pk)))

    assert "Too short for a mobile number of KE." in page
    assert "No money was set aside for it." in page
    assert "No carrier was asked for it." in page


def test_resolving_asks_why_and_then_calls_the_service(root: Client) -> None:
    campaign = make_unknown(make_organisation(), 2)
    chosen = [str(pk) for pk in Message.objects.values_list("pk", flat=True)]
    data = {"action": "resolve", "_selected_action": chosen}

    asked = said(root.post(url(LIST), data))
    assert "2 of the 2 selected messages are unknown" in asked
    assert not Decision.objects.exists()

    post(root, url(LIST), **data, outcome="not-accepted", why="asked by phone")

    statuses = Message.objects.filter(campaign=campaign).values_list("status", flat=True)
    assert set(statuses) == {states.FAILED}
    decision = Decision.objects.get()
    assert (decision.actor, decision.why, decision.rows_count) == ("root", "asked by phone", 2)
    assert LogEntry.objects.count() == 2


def test_a_decision_without_a_reason_is_asked_again(root: Client) -> None:
    make_unknown(make_organisation())
    chosen = str(Message.objects.get().pk)
    answer = root.post(
        url(LIST), {"action": "resolve", "_selected_action": chosen, "outcome": "delivered"}
    )
    assert "This field is required" in said(answer)
    assert Message.objects.get().status == states.UNKNOWN
