"""send-bulk's optional fields over HTTP."""

from __future__ import annotations

import datetime as dt

import pytest

from bulksms import clock, states
from bulksms.models import Campaign, Message
from bulksms.services import reconcile
from tests.api.helpers import SEND, SEND_BULK, Api, assert_problem, faults, world
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db

FIRST, SECOND = "254712345678", "254723456789"


def test_all_of_them_at_once(host, organisation) -> None:
    api = Api(make_key(organisation, scopes=("send", "priority")))
    later = clock.now().replace(microsecond=0) + dt.timedelta(days=1)

    over = later + dt.timedelta(hours=1)

    answer = api.send(
        FIRST, scheduled_at=later.isoformat(), expires_at=over.isoformat(),
        priority="high", reference="invoice 7", tags=["bills", "may"], metadata={"a": {"b": [1]}},
        max_cost=1.5, on_insufficient_funds="reject", sender_id="TALKNTALK",
    )  # fmt: skip

    campaign = Campaign.objects.get()
    assert answer.status_code == 201
    assert campaign.status == states.SCHEDULED
    assert campaign.scheduled_at == later
    assert campaign.expires_at == over
    assert (campaign.priority, campaign.reference) == ("high", "invoice 7")
    assert (campaign.tags, campaign.metadata) == (["bills", "may"], {"a": {"b": [1]}})


@pytest.mark.parametrize(
    "written",
    ["2030-01-31T08:00:00+03:00", "2030-01-31 05:00:00Z", "2030-01-31t05:00:00.000z",
     "2030-01-31T05:00Z", "2030-01-31T08:00:00.000000+0300"],
)  # fmt: skip
def test_ways_to_write_a_time(api, settings, written) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_SCHEDULE_DAYS": 10_000}

    assert api.send(FIRST, scheduled_at=written).status_code == 201
    assert Campaign.objects.get().scheduled_at == dt.datetime(2030, 1, 31, 5, tzinfo=dt.UTC)


def test_a_text_for_each(host, api) -> None:
    answer = api.post(SEND_BULK, {
        "message": "Dear {name}, pay {amount}.",
        "messages": [
            {"to": FIRST, "variables": {"name": "Amina", "amount": "KES 5"}},
            {"to": FIRST, "variables": {"name": "Amina", "amount": "KES 6"}},
            {"to": FIRST, "variables": {"name": "Amina", "amount": "KES 6"}},
            {"to": SECOND, "message": "Hi"},
            {"to": SECOND, "variables": {"name": "Juma"}},
            {"to": "12", "message": None, "variables": None},
        ],
    })  # fmt: skip

    body = answer.json()
    assert answer.status_code == 207
    assert (body["queued"], body["failed"], body["total"], body["duplicates"]) == (3, 2, 5, 1)
    assert [(e["mobile"], e["error"]) for e in body["errors"]] == [
        (SECOND, "missing_variable"),
        ("12", "invalid_recipient"),
    ]
    assert list(Message.objects.order_by("id").values_list("text", flat=True))[:3] == [
        "Dear Amina, pay KES 5.", "Dear Amina, pay KES 6.", "Hi",
    ]  # fmt: skip


def test_a_variable_gives_no_way_into_objects(api) -> None:
    """What is no simple name is no placeholder, it is text."""
    item = {"to": FIRST, "message": "{a.b} {a[0]} {a!r}", "variables": {"a": "x"}}

    assert api.post(SEND_BULK, {"messages": [item]}).status_code == 201
    assert Message.objects.get().text == "{a.b} {a[0]} {a!r}"


def test_wrong_items_are_named_by_their_place_and_twenty_are_enough(api, organisation) -> None:
    before = world(organisation)
    items = [{"to": FIRST, "message": "Hi"}, *({"too": FIRST} for _ in range(500))]

    answer = api.post(SEND_BULK, {"messages": items})

    body = assert_problem(answer, 400, "unknown_field")
    assert faults(body)[:2] == [
        ("messages[1].too", "unknown_field"),
        ("messages[1].to", "required"),
    ]
    assert len(body["errors"]) <= 22
    assert world(organisation) == before


def test_10_001_own_texts_are_too_many(api) -> None:
    items = [{"to": FIRST, "message": f"{n}"} for n in range(10_001)]

    assert_problem(api.post(SEND_BULK, {"messages": items}), 400, "too_many_recipients")


def test_ten_thousand_own_texts_of_three_parts(host) -> None:
    api = Api(make_key(make_organisation(balance_micros=30_000 * 1_000_000)))
    items = [
        {"to": number, "message": f"{number} " + "x" * 440} for number in kenyan_numbers(10_000)
    ]

    answer = api.post(SEND_BULK, {"messages": items})

    assert (answer.status_code, answer.json()["queued"]) == (201, 10_000)
    assert answer.json()["total_cost"] == "30000.00"


def test_high_priority_needs_its_scope(api, organisation) -> None:
    before = world(organisation)

    for path, body in (
        (SEND_BULK, {"recipients": [FIRST], "message": "Hi", "priority": "high"}),
        (SEND, {"mobile": FIRST, "message": "Hi", "priority": "high"}),
    ):
        found = assert_problem(api.post(path, body), 403, "insufficient_scope")
        assert "'priority'" in found["detail"]
    assert world(organisation) == before


def test_high_priority_is_for_a_few(organisation) -> None:
    api = Api(make_key(organisation, scopes=("send", "priority")))

    answer = api.send(*kenyan_numbers(101), priority="high")

    assert_problem(answer, 400, "too_many_for_high_priority")


def test_a_reference_is_used_once(api, organisation) -> None:
    assert api.send(FIRST, reference="r1").status_code == 201
    before = world(organisation)

    found = assert_problem(api.send(FIRST, reference="r1"), 400, "reference_taken")

    assert faults(found) == [("reference", "reference_taken")]
    assert world(organisation) == before


def test_what_costs_too_much_is_not_sent(api, organisation) -> None:
    before = world(organisation)

    found = assert_problem(api.send(FIRST, SECOND, max_cost="1.99"), 402, "max_cost_exceeded")

    assert found["detail"] == "This would cost KES 2.00, more than max_cost KES 1.99."
    assert world(organisation) == before


def test_reject_means_nothing_is_sent_when_money_is_short(host) -> None:
    organisation = make_organisation(balance_micros=1_000_000)
    before = world(organisation)

    answer = Api(make_key(organisation)).send(FIRST, SECOND, on_insufficient_funds="reject")

    found = assert_problem(answer, 402, "insufficient_balance")
    assert found["detail"] == "Insufficient balance. Required KES 1.00, available KES 0.00."
    assert world(organisation) == before


def test_a_quote_takes_the_same_body(api, organisation) -> None:
    before = world(organisation)
    fields = {"messages": [{"to": FIRST, "message": "Hi"}], "tags": ["a"], "max_cost": "5"}

    answer = api.post("/v1/sms/quote/", fields)

    assert (answer.status_code, answer.json()["total_cost"]) == (200, "1.00")
    assert world(organisation) == before


def test_a_sensitive_text_is_kept_until_it_was_sent_and_no_longer(api) -> None:
    sent = api.send("12", message="Your code is 482913", sensitive=True)
    id_ = sent.json()["campaign_id"]

    reconcile.tick_once()

    shown = api.get(f"/v1/sms/campaigns/{id_}/")
    retried = api.post(f"/v1/sms/campaigns/{id_}/retry/", {"errors": ["invalid_recipient"]})
    assert shown.json()["message"] is None
    assert b"482913" not in retried.content


def test_one_sensitive_sms_says_so_and_anything_but_a_flag_is_refused(api) -> None:
    assert api.post(SEND, {"mobile": FIRST, "message": "Hi", "sensitive": True}).status_code == 201
    assert Campaign.objects.get().is_sensitive

    refused = api.post(SEND, {"mobile": FIRST, "message": "Hi", "sensitive": "yes"})

    assert faults(assert_problem(refused, 400, "invalid_type")) == [("sensitive", "invalid_type")]
