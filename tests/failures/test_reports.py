"""Delivery reports that came early, late, twice, in part, in another form: what went wrong
elsewhere. docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from bulksms import clock, states
from bulksms.carriers.base import ParsedReport, SubmitResult
from bulksms.models import Campaign, LedgerEntry, Message, Report
from bulksms.services import dispatch, reports, wallet
from bulksms.testing import drain, tick, virtual_clock
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers
from tests.failures.world import PRICE, begun, check, send, states_of
from tests.harness import SECRET, FakeCarrier, WithoutQuery, fake_carrier

pytestmark = pytest.mark.django_db

#: A text of three parts.
LONG = "a" * 400


def report(key: str, state: str, *, ref: str = "", reference: str = "") -> ParsedReport:
    return ParsedReport(key, ref, reference, state, "", "{}")


# Early


def test_a_report_by_the_carriers_id_that_comes_before_the_answer_finds_its_message() -> None:
    rules = [{"report": {"state": "delivered", "before_answer": True, "omit": ["client_ref"]}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(3)

        drain()
        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 3}


def test_an_early_report_waits_for_its_message_for_three_days(carrier: FakeCarrier) -> None:
    reports.store("main", [report("early", states.DELIVERED, ref="R-1")])
    for _ in range(14):
        virtual_clock.advance(hours=5)
        tick()
        reports.apply_once()
    campaign = send(1)
    claimed, prepared, asked_at = begun(carrier)

    answer = {claimed.rows[0].reference: SubmitResult("accepted", "R-1")}
    dispatch.record(claimed, prepared, answer, asked_at)
    reports.apply_once()

    assert states_of(campaign) == {states.DELIVERED: 1}


def test_a_report_without_a_message_is_put_aside_after_three_days_and_counted() -> None:
    reports.store("main", [report("lost", states.DELIVERED, ref="R-1")])

    for _ in range(15):
        virtual_clock.advance(hours=5)
        tick()
        reports.apply_once()

    assert Report.objects.get().status == states.UNMATCHED


# In another form

#: Form -> the base that the carrier's options say for it.
BASES = {"hex": 16, "upper": 16, "decimal": 10, "padded": 10}
FORMS = tuple(BASES)


@pytest.mark.parametrize(
    ("answer", "told"), [(one, other) for one in FORMS for other in FORMS if one != other]
)
def test_an_id_in_another_form_than_in_the_answer_finds_its_message(answer: str, told: str) -> None:
    rules = [
        {
            "id_form": {"answer": answer, "report": told},
            "report": {"state": "delivered", "omit": ["client_ref"]},
        }
    ]
    bases = {"answer_id_base": BASES[answer], "report_id_base": BASES[told]}
    with fake_carrier(rules=rules, **bases) as house:
        campaign = send(2)

        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 2}


@pytest.mark.parametrize("form", [*FORMS, "big", "uuid"])
def test_an_id_of_any_form_and_size_finds_its_message(form: str) -> None:
    rules = [{"id_form": form, "report": {"state": "delivered", "omit": ["client_ref"]}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 2}


def test_our_reference_finds_the_message_whatever_became_of_the_carriers_id() -> None:
    rules = [{"id_form": {"answer": "hex", "report": "padded"}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 2}


def test_an_id_of_another_message_is_never_taken_for_ours() -> None:
    """Ids that read as the same number are one id only where both may be that number."""
    rules = [{"report": False}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)
        claimed, prepared, asked_at = begun(house)
        first, second = (row.reference for row in claimed.rows)
        answer = {
            first: SubmitResult("accepted", "ATXid_0a"), second: SubmitResult("accepted", "10"),
        }  # fmt: skip
        dispatch.record(claimed, prepared, answer, asked_at)

        reports.store("main", [report("k", states.DELIVERED, ref="10")])
        reports.apply_once()

        delivered = Message.objects.get(campaign=campaign, status=states.DELIVERED)
        assert str(delivered.id) == second


# Late, twice


@pytest.mark.parametrize("word", ["accepted", "enroute", "unknown", "teleported"])
def test_a_late_word_that_it_is_on_its_way_leaves_it_delivered(word: str) -> None:
    rules = [{"report": [{"state": "delivered", "delay_s": 1}, {"state": word, "delay_s": 30}]}]
    with fake_carrier(rules=rules) as house:
        campaign = send(2)

        for _ in range(4):
            house.run(seconds=20)

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 2}
        assert Report.objects.filter(status=states.IGNORED).count() == 2


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_batches_of_reports_at_the_same_moment_lose_no_state_and_no_count() -> None:
    with fake_carrier(rules=[{"report": False}]) as house:
        campaign = send(200)
        drain()
        rows = Message.objects.filter(campaign=campaign).order_by("id")
        told = [report(f"k{n}", states.DELIVERED, reference=str(row.id))
                for n, row in enumerate(rows)]  # fmt: skip
        halves = [told[::2], told[1::2]]

        outcomes = at_once([lambda half=half: reports.store("main", half) for half in halves])  # type: ignore[misc]
        assert outcomes == [100, 100]
        taken = at_once([lambda: reports.apply_once(25) for _ in range(8)])

        assert all(isinstance(count, int) for count in taken), taken
        drain()
        check(house)
        assert states_of(campaign) == {states.DELIVERED: 200}
        assert Campaign.objects.get(pk=campaign.pk).delivered_count == 200


def test_two_reports_of_one_message_in_one_moment_are_both_kept_and_applied_in_order(
    carrier: FakeCarrier,
) -> None:
    campaign = send(1)
    drain()
    reference = str(Message.objects.get(campaign=campaign).id)

    reports.store(
        "main",
        [report("a", "", reference=reference), report("b", states.DELIVERED, reference=reference)],
    )
    reports.apply_once()

    assert Report.objects.count() == 2
    assert states_of(campaign) == {states.DELIVERED: 1}
    check(carrier)


# In part


def test_a_message_with_one_failed_part_is_never_shown_as_delivered() -> None:
    rules = [{"report": {"parts": ["delivered", "undelivered", "delivered"]}}]
    with fake_carrier(rules=rules) as house:
        campaign = send_long(house)

        for _ in range(3):
            house.run()

        check(house)
        assert states_of(campaign) == {states.UNDELIVERED: 1}


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_a_part_that_failed_decides_in_whatever_order_the_parts_are_told(failed: int) -> None:
    for first in (1, 2, 3):
        with fake_carrier(rules=[{"report": False}]) as house:
            campaign = send_long(house)
            drain()
            order = [(first + step - 1) % 3 + 1 for step in range(3)]
            for part in order:
                word = "undelivered" if part == failed else "delivered"
                tell_part(house, campaign, part, word)
            reports.apply_once()
            reports.apply_once()

            assert states_of(campaign) == {states.UNDELIVERED: 1}


def test_a_message_of_which_all_parts_arrived_is_delivered() -> None:
    rules = [{"report": {"parts": ["delivered", "delivered", "delivered"]}}]
    with fake_carrier(rules=rules) as house:
        campaign = send_long(house)

        for _ in range(3):
            house.run()

        check(house)
        assert states_of(campaign) == {states.DELIVERED: 1}


def test_two_of_three_parts_are_no_delivery_not_even_when_one_is_told_twice() -> None:
    with fake_carrier(rules=[{"report": False}]) as house:
        campaign = send_long(house)
        drain()

        for number, part in enumerate((1, 2, 2)):
            tell_part(house, campaign, part, "delivered", report_id=f"r{number}")
        reports.apply_once()

        assert states_of(campaign) == {states.SENT: 1}


def test_two_of_three_parts_and_then_silence_end_unconfirmed() -> None:
    with fake_carrier(rules=[{"report": False}]) as house:
        campaign = send_long(house)
        drain()
        for part in (1, 2):
            tell_part(house, campaign, part, "delivered")
        for _ in range(4):
            house.run(hours=20)

        check(house)
        assert states_of(campaign) == {states.UNCONFIRMED: 1}


def send_long(house: FakeCarrier) -> Campaign:
    del house
    return send(3, message=LONG, recipients=kenyan_numbers(1))


def tell_part(
    house: FakeCarrier, campaign: Campaign, part: int, word: str, report_id: str = ""
) -> None:
    """The carrier's report of one part of the campaign's only message, through the parser."""
    message = Message.objects.get(campaign=campaign)
    row = {
        "report_id": report_id or f"{campaign.pk}-{part}", "id": message.carrier_ref,
        "client_ref": str(message.id), "status": word, "part": part, "parts": 3,
    }  # fmt: skip
    assert house.deliver(*signed(json.dumps(row).encode())) == 200


def signed(body: bytes) -> tuple[dict[str, str], bytes]:
    now = clock.now()
    headers = {
        "webhook-id": "m1", "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("m1", now, body.decode()),
    }  # fmt: skip
    return headers, body


# Of what was never taken


def test_a_report_of_a_refused_message_is_counted_and_gives_no_money_back_twice() -> None:
    rules = [{"refuse": {"code": "blocked", "report": "undelivered"}}]
    with fake_carrier(rules=rules) as house:
        campaign = send(3)

        for _ in range(3):
            house.run()

        check(house)
        assert states_of(campaign) == {states.FAILED: 3}
        assert Report.objects.filter(status=states.IGNORED).count() == 3
        back = LedgerEntry.objects.filter(source="held", target="available")
        assert sum(back.values_list("amount_micros", flat=True)) == 3 * PRICE
        assert wallet.of(campaign.organisation).available_micros == 3 * PRICE


def test_a_delivered_of_a_refused_message_does_not_take_its_money_again() -> None:
    rules = [{"refuse": {"code": "blocked", "report": "delivered"}}]
    with fake_carrier(rules=rules, carrier=WithoutQuery) as house:
        campaign = send(3)

        for _ in range(3):
            house.run()

        check(house)
        assert states_of(campaign) == {states.FAILED: 3}
        assert wallet.of(campaign.organisation).available_micros == 3 * PRICE


# Behind a proxy

TOKEN = "t0ken-nobody-guesses"


@pytest.fixture
def callback(settings: Any) -> str:
    settings.BULKSMS = {
        **settings.BULKSMS,
        "CARRIERS": {
            "main": {
                "BACKEND": "bulksms.carriers.http.HttpCarrier",
                "OPTIONS": {"url": "http://127.0.0.1:9/", "report_secret": SECRET},
                "REPORT_TOKEN": TOKEN,
            }
        },
    }
    return f"/callbacks/main/{TOKEN}/"


@pytest.mark.parametrize(
    "seen_as",
    [
        {},
        {"secure": True},
        {"HTTP_HOST": "internal:8000", "HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_HOST": "sms.example.com", "HTTP_X_FORWARDED_HOST": "other.example.com"},
        {"QUERY_STRING": "from=proxy"},
    ],
    ids=str,
)
def test_a_signature_holds_whatever_a_proxy_makes_of_the_address(
    callback: str, seen_as: dict[str, Any]
) -> None:
    headers, body = signed(b'{"report_id": "1", "id": "7", "status": "delivered"}')

    answer = Client().generic(
        "POST", callback, body, content_type="application/json", headers=headers, **seen_as
    )

    assert (answer.status_code, Report.objects.count()) == (200, 1)


def test_a_signature_that_does_not_hold_is_told_and_logged(
    callback: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body = signed(b'{"report_id": "1", "id": "7", "status": "delivered"}')

    answer = Client().generic(
        "POST", callback, body + b" ", content_type="application/json", headers=headers
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_report")
    assert "signature" in answer.json()["detail"]
    ours = [record for record in caplog.records if record.name.startswith("bulksms")]
    assert any("main" in record.getMessage() for record in ours), "nobody would notice"
