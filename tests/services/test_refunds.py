"""The refund table: which captured money goes back, when, and what a late report changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.checks import Error
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import checks, send_bulk, states
from bulksms.models import Campaign, Hold, Message, MessageAttempt, Organisation, Refund
from bulksms.services import audit, campaigns, refunds, settlement, wallet
from bulksms.services.settlement import Move
from bulksms.testing import tick, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import SECRET, FakeCarrier, fake_carrier
from tests.wallets import KES, available, check_books, kinds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _undelivered_is_refunded(settings: Any) -> None:
    use_table(settings, {"undelivered": "refund"})


def use_table(settings: Any, table: dict[str, str], **entry: Any) -> None:
    main = {**settings.BULKSMS["CARRIERS"]["main"], "REFUNDS": table, **entry}
    settings.BULKSMS = {**settings.BULKSMS, "CARRIERS": {"main": main}}


def report(state: str, **more: Any) -> dict[str, Any]:
    return {"report": {"state": state, **more}}


@contextmanager
def sent(
    *rules: object, count: int = 3, seed: int = 1
) -> Iterator[tuple[FakeCarrier, Organisation]]:
    """``count`` messages at 1 KES each that the carrier took and reported as its rules say."""
    with fake_carrier(seed, rules=rules) as house:
        organisation = make_organisation(balance_micros=count * KES, price_micros=KES)
        send_bulk(recipients=kenyan_numbers(count), message="Hi", organisation=organisation)
        house.run()
        yield house, organisation


def charges() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("id").values_list("status", "charge"))


def all_is_well(organisation: Organisation) -> None:
    check_books(organisation)
    assert list(audit.faults()) == []


# Worked examples


def test_a_message_that_did_not_arrive_is_refunded_after_72_hours() -> None:
    # Two of three messages are delivered, one is reported undelivered. All three are paid for.
    failing = {"match": {"number": "254712000001"}, **report("undelivered")}
    with sent(failing) as (house, acme):
        assert charges() == [
            ("delivered", "captured"),
            ("undelivered", "captured"),
            ("delivered", "captured"),
        ]
        # An hour before its time nothing moves.
        house.run(hours=71)
        assert available(acme) == 0
        # Then 1 KES comes back, the message stays undelivered, the campaign cost 2 KES.
        house.run(hours=1)
        assert charges()[1] == ("undelivered", "refunded")
        assert kinds(acme)[2:] == [("refund", KES, KES)]
        assert campaigns.cost_micros(Campaign.objects.get()) == 2 * KES
        # And that is all, however often the tick comes.
        house.run(hours=100)
        assert available(acme) == KES
        all_is_well(acme)


def test_a_delivered_within_72_hours_keeps_the_money() -> None:
    twice = report("undelivered")
    twice["report"] = [
        {"state": "undelivered", "delay_s": 1},
        {"state": "delivered", "delay_s": 3600},
    ]
    with sent(twice) as (house, acme):
        assert Refund.objects.count() == 3

        for _ in range(4):
            house.run(hours=30)

        # The state table never takes a final state back, but the carrier says that it did the work.
        assert charges() == [("undelivered", "captured")] * 3
        assert available(acme) == 0
        all_is_well(acme)


def test_a_delivered_after_the_refund_is_shown_and_stays_refunded(settings: Any) -> None:
    use_table(settings, {"unconfirmed": "refund"})
    with sent(report("delivered", delay_s=200 * 3600)) as (house, acme):
        house.run(hours=72)  # no report so far: unconfirmed, paid for
        assert charges() == [("unconfirmed", "captured")] * 3
        house.run(hours=73)  # refunded
        assert charges() == [("unconfirmed", "refunded")] * 3
        assert available(acme) == 3 * KES

        house.run(hours=80)

        assert charges() == [("delivered", "refunded")] * 3
        assert available(acme) == 3 * KES
        all_is_well(acme)


def test_a_report_that_corrects_an_unconfirmed_message_withdraws_its_refund(settings: Any) -> None:
    use_table(settings, {"unconfirmed": "refund"})
    with sent(report("delivered", delay_s=100 * 3600)) as (house, acme):
        house.run(hours=72)
        house.run(hours=40)

        house.run(hours=200)

        assert charges() == [("delivered", "captured")] * 3
        assert not Refund.objects.exists()
        all_is_well(acme)


def test_a_correction_to_another_refundable_end_waits_anew(settings: Any) -> None:
    use_table(settings, {"unconfirmed": "refund", "undelivered": "refund"})
    with sent(report("undelivered", delay_s=100 * 3600)) as (house, acme):
        house.run(hours=72)
        house.run(hours=40)  # undelivered after all, 112 h after it was sent
        house.run(hours=71)  # 72 h after unconfirmed are over, 72 h after undelivered are not
        assert available(acme) == 0

        house.run(hours=1)

        assert charges() == [("undelivered", "refunded")] * 3
        all_is_well(acme)


# The table


@pytest.mark.parametrize(
    ("table", "status", "code", "back"),
    [
        ({}, "undelivered", "", False),
        ({"undelivered": "refund"}, "undelivered", "", True),
        ({"undelivered": "refund"}, "undelivered", "031", True),
        ({"undelivered": "refund", "undelivered:027": "keep"}, "undelivered", "027", False),
        ({"undelivered": "refund", "undelivered:027": "keep"}, "undelivered", "031", True),
        ({"undelivered:027": "refund"}, "undelivered", "027", True),
        ({"undelivered:027": "refund"}, "undelivered", "031", False),
        ({"undelivered:027": "refund"}, "rejected", "027", False),
        ({"undelivered": "refund"}, "expired", "", False),
        ({"delivered": "refund"}, "delivered", "", False),
        ({"failed": "refund"}, "failed", "", False),
    ],
)
def test_the_more_exact_rule_wins_and_what_is_not_named_is_kept(
    settings: Any, table: dict[str, str], status: str, code: str, back: bool
) -> None:
    use_table(settings, table, TRUST_REPORTS=True)

    assert refunds.gives_back("main", status, code) is back


def test_by_default_everything_is_kept(settings: Any) -> None:
    use_table(settings, {})
    with sent(report("undelivered")) as (house, acme):
        house.run(hours=100)

        assert charges() == [("undelivered", "captured")] * 3
        assert available(acme) == 0


def test_without_authenticated_reports_the_table_counts_for_nothing(settings: Any) -> None:
    assert not refunds.gives_back("main", "undelivered", "")
    use_table(settings, {"undelivered": "refund"}, REPORT_TOKEN="x" * 40)
    assert not refunds.gives_back("main", "undelivered", "")
    use_table(settings, {"undelivered": "refund"}, TRUST_REPORTS=True)
    assert refunds.gives_back("main", "undelivered", "")


def ids_of(found: list[Any]) -> list[str]:
    return [message.id for message in found if isinstance(message, Error)]


def test_a_check_refuses_refunds_where_reports_are_not_authenticated(settings: Any) -> None:
    assert ids_of(checks.check_refunds()) == ["bulksms.E021"]
    use_table(settings, {"undelivered": "keep"})
    assert checks.check_refunds() == []
    use_table(settings, {"undelivered": "refund"}, TRUST_REPORTS=True)
    assert checks.check_refunds() == []
    options = {"url": "http://127.0.0.1:9/", "report_secret": SECRET}
    use_table(settings, {"undelivered": "refund"}, OPTIONS=options, TRUST_REPORTS=False)
    assert checks.check_refunds() == []


@pytest.mark.parametrize(
    "table", [{"delivered": "refund"}, {"undeliverd": "refund"}, {"undelivered": "yes"}]
)
def test_a_check_finds_a_wrong_rule(settings: Any, table: dict[str, str]) -> None:
    use_table(settings, table, TRUST_REPORTS=True)

    assert ids_of(checks.check_refunds()) == ["bulksms.E020"]


# What is not refunded


def test_a_free_message_has_nothing_to_give_back() -> None:
    with fake_carrier(rules=[report("undelivered")]) as house:
        organisation = make_organisation(price_micros=0)
        send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=organisation)

        house.run()

        assert not Refund.objects.exists()


def test_what_was_released_is_not_refunded(settings: Any) -> None:
    use_table(settings, {"unconfirmed": "refund"})
    settings.BULKSMS = {**settings.BULKSMS, "UNKNOWN_AT_DEADLINE": "release"}
    with sent({"lose_request": {"how": "reset"}}) as (house, acme):
        house.run(hours=73)
        assert charges() == [("unconfirmed", "released")] * 3
        assert available(acme) == 3 * KES

        house.run(hours=100)

        assert available(acme) == 3 * KES
        all_is_well(acme)


def test_a_message_that_is_gone_has_its_refund_dropped() -> None:
    with sent(report("undelivered")) as (house, _):
        Message.objects.all().delete()

        house.run(hours=73)

        assert not Refund.objects.exists()
        assert Hold.objects.get().refunded_micros == 0


# Attempts


def replace_attempts(organisation: Organisation) -> None:
    """What a retry does: the old attempts are copied, the rows get new holds and wait again."""
    for row in Message.objects.all():
        MessageAttempt.objects.create(
            message=row, attempt=row.attempt, status=row.status, carrier=row.carrier,
            units=row.units, unit_price_micros=row.unit_price_micros, cost_micros=row.cost_micros,
            hold=row.hold, charge=row.charge, captured_micros=row.captured_micros,
            asked_at=row.asked_at, sent_at=row.sent_at, done_at=row.done_at,
            replaced_at=virtual_clock.now(),
        )  # fmt: skip
    wallet.top_up(organisation, 3 * KES, key="again")
    campaign = Campaign.objects.get()
    hold = wallet.reserve(wallet.lock(organisation), campaign, 3 * KES, round_=1)
    Message.objects.update(
        attempt=2, status=states.SENDING, charge=states.HELD, captured_micros=0, hold=hold,
        done_at=None, sent_at=None,
    )  # fmt: skip
    Campaign.objects.update(
        undelivered_count=0, sending_count=3, done_count=0, status=states.SENDING, finished_at=None
    )


def deliver() -> None:
    campaign = Campaign.objects.get()
    for status in (states.SENT, states.DELIVERED):
        moves = [
            Move(id_, status, asked_at=virtual_clock.now())
            for id_ in Message.objects.values_list("id", flat=True)
        ]
        settlement.apply(moves, {campaign.id}, key=f"test:{status}", now=virtual_clock.now())


def test_the_refund_of_a_replaced_attempt_is_paid_on_the_attempt() -> None:
    with sent(report("undelivered")) as (house, acme):
        replace_attempts(acme)
        deliver()

        house.run(hours=73)

        assert charges() == [("delivered", "captured")] * 3
        attempts = MessageAttempt.objects.values_list("charge", "refunded_micros")
        assert list(attempts) == [(states.REFUNDED, KES)] * 3
        assert [hold.refunded_micros for hold in Hold.objects.order_by("id")] == [3 * KES, 0]
        assert available(acme) == 3 * KES
        check_books(acme)


def test_a_delivered_of_the_new_attempt_leaves_the_old_ones_refund_alone() -> None:
    with sent(report("undelivered")) as (_, acme):
        replace_attempts(acme)
        deliver()

        refunds.withdraw(list(Message.objects.values_list("id", "attempt")))

        assert Refund.objects.filter(attempt=1).count() == 3


# Batches and locks


def test_many_refunds_are_paid_in_batches_and_statements_do_not_grow_with_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sent(report("undelivered"), count=25) as (_, acme):
        virtual_clock.advance(hours=73)
        monkeypatch.setattr(refunds, "BATCH", 10)

        assert refunds.pay_due(virtual_clock.now()) == 25

        assert [line[:2] for line in kinds(acme)[2:]] == [
            ("refund", 10 * KES),
            ("refund", 10 * KES),
            ("refund", 5 * KES),
        ]
        all_is_well(acme)


def test_paying_500_takes_as_many_statements_as_paying_5() -> None:
    counts = []
    for size in (5, 500):
        with sent(report("undelivered"), count=size, seed=size):  # else its ids repeat
            virtual_clock.advance(hours=73)
            with CaptureQueriesContext(connection) as queries:
                assert refunds.pay_due(virtual_clock.now()) == size
            counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))

    # A full batch is followed by a look for the next one.
    assert counts[1] <= counts[0] + 2


def test_a_wallet_that_is_held_gets_its_refunds_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with sent(report("undelivered")) as (_, acme):
        virtual_clock.advance(hours=73)
        with monkeypatch.context() as patch:
            patch.setattr("bulksms.services.ledger.lock_free", lambda _ids: {})
            tick()
        assert available(acme) == 0
        assert charges() == [("undelivered", "captured")] * 3

        tick()

        assert available(acme) == 3 * KES
        all_is_well(acme)


def test_a_refund_pays_a_debt_first() -> None:
    with sent(report("undelivered")) as (house, acme):
        wallet.top_up(acme, KES, key="p")
        wallet.adjust(acme, -KES, key="a", note="n")
        wallet.reverse_top_up(acme, "p", key="r")

        house.run(hours=73)

        assert kinds(acme)[-2:] == [("refund", 3 * KES, 3 * KES), ("debt-payment", -KES, 2 * KES)]
        all_is_well(acme)
