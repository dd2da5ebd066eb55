"""The wallet: worked examples in words, every movement once, every limit kept."""

from __future__ import annotations

import ast
import csv
import datetime as dt
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

import bulksms
from bulksms import clock, send_bulk, signals
from bulksms.exceptions import AppendOnly, LedgerConflict, NotFound, WalletBusy, WalletRefusal
from bulksms.models import Hold, LedgerEntry, Organisation, Wallet
from bulksms.models.wallet import ADJUSTMENT, AVAILABLE, FUNDING, HELD, SPENT
from bulksms.services import audit, campaigns, wallet
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier
from tests.wallets import KES, available, check_books, hold, kinds, make_campaign, owed

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organisation:
    """An organisation with 100 KES; a message costs 1 KES."""
    return make_organisation(balance_micros=100 * KES, price_micros=KES)


# Worked examples


def test_a_campaign_is_held_captured_in_part_and_the_rest_comes_back(acme: Organisation) -> None:
    # Ten messages at 1 KES each: 10 KES are set aside when the request is accepted.
    # The carrier takes eight of them (captured) and refuses two for good (released).
    rules = [{"match": {"number": f"25471200000{n}"}, "refuse": "blocked"} for n in (3, 7)]
    with fake_carrier(rules=rules) as house:
        campaign = send_bulk(
            recipients=kenyan_numbers(10), message="Hi", organisation=acme
        ).campaign
        assert (available(acme), wallet.held_micros(wallet.of(acme))) == (90 * KES, 10 * KES)

        house.run()

    # What remains is 92 KES, nothing is held, and the campaign cost 8 KES: its lines say the same.
    assert (available(acme), wallet.held_micros(wallet.of(acme))) == (92 * KES, 0)
    assert kinds(acme)[1:] == [("hold", -10 * KES, 90 * KES), ("release", 2 * KES, 92 * KES)]
    assert campaigns.cost_micros(campaign) == 8 * KES
    check_books(acme)
    assert list(audit.faults()) == []


def test_a_bounced_payment_freezes_sending_until_the_next_one_pays_for_it(
    acme: Organisation,
) -> None:
    # A payment of 50 KES comes in and 120 of the 150 KES are set aside for a campaign.
    wallet.top_up(acme, 50 * KES, key="mpesa:QX1")
    campaign_hold = hold(acme, 120 * KES)
    # The payment bounces: 30 KES are there to be taken, 20 KES are owed.
    wallet.reverse_top_up(acme, "mpesa:QX1", key="mpesa:QX1")
    assert (available(acme), owed(acme)) == (0, 20 * KES)
    # Nothing new is held, whatever comes; what is held already goes on.
    with pytest.raises(WalletRefusal) as refusal:
        hold(acme, 1)
    assert refusal.value.code == "wallet_frozen"
    wallet.capture({campaign_hold.pk: 115 * KES}, "x", clock.now())
    # 5 KES of the campaign come back and pay the first part of the debt.
    wallet.release({campaign_hold.pk: 5 * KES}, "x", clock.now())
    assert (available(acme), owed(acme)) == (0, 15 * KES)
    # The next payment of 40 KES pays the rest, 25 KES remain, and sending goes on.
    wallet.top_up(acme, 40 * KES, key="mpesa:QX2")
    assert (available(acme), owed(acme)) == (25 * KES, 0)
    hold(acme, 25 * KES)
    assert kinds(acme)[2:] == [
        ("hold", -120 * KES, 30 * KES),
        ("debt", 20 * KES, 50 * KES),
        ("reversal", -50 * KES, 0),
        ("release", 5 * KES, 5 * KES),
        ("debt-payment", -5 * KES, 0),
        ("top-up", 40 * KES, 40 * KES),
        ("debt-payment", -15 * KES, 25 * KES),
        ("hold", -25 * KES, 0),
    ]
    check_books(acme)


def test_a_balance_equal_to_the_price_is_enough_and_one_micro_less_is_not() -> None:
    enough = make_organisation(balance_micros=KES, price_micros=KES)
    short = make_organisation(balance_micros=KES - 1, price_micros=KES)

    sent = send_bulk(recipients=["0712345678"], message="Hi", organisation=enough)
    refused = send_bulk(recipients=["0712345678"], message="Hi", organisation=short)

    assert (sent.queued, available(enough)) == (1, 0)
    assert (refused.queued, available(short)) == (0, KES - 1)
    assert refused.drafts[0].error == "insufficient_balance"


# Top-ups


def test_the_same_payment_twice_is_one_top_up(acme: Organisation) -> None:
    first = wallet.top_up(acme, 5 * KES, key=wallet.payment_key("mpesa", "QX1"))
    again = wallet.top_up(acme, 5 * KES, key=wallet.payment_key("mpesa", " QX1 "))

    assert first.pk == again.pk
    assert available(acme) == 105 * KES


def test_the_same_payment_with_another_amount_is_an_error(acme: Organisation) -> None:
    wallet.top_up(acme, 5 * KES, key="mpesa:QX1")

    with pytest.raises(LedgerConflict):
        wallet.top_up(acme, 6 * KES, key="mpesa:QX1")

    assert available(acme) == 105 * KES


def test_one_payment_credits_one_wallet(acme: Organisation) -> None:
    other = make_organisation(balance_micros=0)
    wallet.top_up(acme, 5 * KES, key="mpesa:QX1")

    with pytest.raises(LedgerConflict):
        wallet.top_up(other, 5 * KES, key="mpesa:QX1")

    assert available(other) == 0


def test_the_database_too_lets_one_payment_credit_one_wallet(acme: Organisation) -> None:
    wallet.top_up(acme, 5 * KES, key="mpesa:QX1")

    other = wallet.of(make_organisation(balance_micros=0))

    refused_by_database(
        "INSERT INTO bulksms_ledgerentry (wallet_id, source, target, amount_micros, key, note, seq,"
        " available_after_micros, created_at)"
        " VALUES (%s, 'funding', 'available', 5, 'top-up:mpesa:QX1', '', 1, 5, '2026-01-01')",
        [other.pk],
    )


@pytest.mark.parametrize("amount", [0, -1, 10**16 + 1])
def test_an_amount_out_of_range_is_refused(acme: Organisation, amount: int) -> None:
    with pytest.raises(ValueError, match="micros"):
        wallet.top_up(acme, amount, key="k")


@pytest.mark.parametrize("amount", [1.0, True, "5"])
def test_an_amount_that_is_no_whole_number_is_refused(acme: Organisation, amount: Any) -> None:
    for move in (wallet.top_up, wallet.adjust):
        with pytest.raises(TypeError, match="micros"):
            move(acme, amount, key="k", note="n")
    assert available(acme) == 100 * KES


@pytest.mark.parametrize("key", ["", "  ", "k" * 91, "a\0b"])
def test_a_key_that_is_none_is_refused(acme: Organisation, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        wallet.top_up(acme, 1, key=key)


@pytest.mark.parametrize(("provider", "reference"), [("M-Pesa", "1"), ("a:b", "1"), ("mpesa", " ")])
def test_a_payment_key_needs_a_short_provider_and_a_reference(
    provider: str, reference: str
) -> None:
    with pytest.raises(ValueError, match=r"provider|key"):
        wallet.payment_key(provider, reference)


# Adjustments


def test_an_adjustment_goes_both_ways_once_per_key(acme: Organisation) -> None:
    for _ in range(2):
        wallet.adjust(acme, 3 * KES, key="gift", note="sorry for Monday")
        wallet.adjust(acme, -2 * KES, key="fee", note="sender ID")

    assert kinds(acme)[1:] == [
        ("adjustment", 3 * KES, 103 * KES),
        ("adjustment", -2 * KES, 101 * KES),
    ]


@pytest.mark.parametrize("amount", [4 * KES, -3 * KES])
def test_an_adjustment_with_a_used_key_and_another_amount_is_an_error(
    acme: Organisation, amount: int
) -> None:
    wallet.adjust(acme, 3 * KES, key="gift", note="n")

    with pytest.raises(LedgerConflict):
        wallet.adjust(acme, amount, key="gift", note="n")


def test_an_adjustment_takes_at_most_what_may_be_spent(acme: Organisation) -> None:
    wallet.set_credit_limit(acme, 10 * KES)

    with pytest.raises(WalletRefusal) as refusal:
        wallet.adjust(acme, -110 * KES - 1, key="fee", note="n")
    wallet.adjust(acme, -110 * KES, key="fee", note="n")
    wallet.adjust(acme, -110 * KES, key="fee", note="n")  # repeated: done already, still a no-op

    assert (refusal.value.code, available(acme)) == ("below_limit", -10 * KES)


def test_an_adjustment_upwards_pays_the_debt_first(acme: Organisation) -> None:
    wallet.top_up(acme, 50 * KES, key="p")
    hold(acme, 150 * KES)
    wallet.reverse_top_up(acme, "p", key="r")

    wallet.adjust(acme, 20 * KES, key="a", note="part")
    assert (available(acme), owed(acme)) == (0, 30 * KES)
    wallet.adjust(acme, 35 * KES, key="b", note="rest")

    assert (available(acme), owed(acme)) == (5 * KES, 0)
    check_books(acme)


# Reversals


def test_a_reversal_of_money_that_is_there_takes_all_of_it(acme: Organisation) -> None:
    wallet.top_up(acme, 50 * KES, key="p")

    wallet.reverse_top_up(acme, "p", key="r")

    assert kinds(acme)[1:] == [("top-up", 50 * KES, 150 * KES), ("reversal", -50 * KES, 100 * KES)]


def test_a_reversal_uses_the_credit_before_anything_is_owed(acme: Organisation) -> None:
    wallet.set_credit_limit(acme, 30 * KES)
    wallet.top_up(acme, 50 * KES, key="p")
    hold(acme, 150 * KES)

    wallet.reverse_top_up(acme, "p", key="r")

    assert (available(acme), owed(acme)) == (-30 * KES, 20 * KES)
    check_books(acme)


def test_with_unlimited_credit_nothing_is_ever_owed() -> None:
    house = make_organisation(balance_micros=0, credit_limit_micros=None)
    wallet.top_up(house, 50 * KES, key="p")
    hold(house, 80 * KES)

    wallet.reverse_top_up(house, "p", key="r")

    assert (available(house), owed(house)) == (-80 * KES, 0)
    hold(house, KES)


def test_a_top_up_is_reversed_once(acme: Organisation) -> None:
    wallet.top_up(acme, 50 * KES, key="p")
    first = wallet.reverse_top_up(acme, "p", key="r")

    assert wallet.reverse_top_up(acme, "p", key="r").pk == first.pk
    with pytest.raises(LedgerConflict):
        wallet.reverse_top_up(acme, "p", key="another")

    assert available(acme) == 100 * KES


def test_a_reversals_key_names_one_top_up(acme: Organisation) -> None:
    wallet.top_up(acme, 50 * KES, key="p")
    wallet.top_up(acme, 50 * KES, key="q")
    wallet.reverse_top_up(acme, "p", key="r")

    with pytest.raises(LedgerConflict):
        wallet.reverse_top_up(acme, "q", key="r")


def test_another_wallets_top_up_cannot_be_reversed(acme: Organisation) -> None:
    other = make_organisation(balance_micros=0)
    wallet.top_up(other, 50 * KES, key="p")

    with pytest.raises(NotFound):
        wallet.reverse_top_up(acme, "p", key="r")


def test_more_credit_does_not_unfreeze_a_wallet_that_owes(acme: Organisation) -> None:
    wallet.top_up(acme, 50 * KES, key="p")
    hold(acme, 150 * KES)
    wallet.reverse_top_up(acme, "p", key="r")

    wallet.set_credit_limit(acme, 1000 * KES)

    assert wallet.spendable(wallet.of(acme)) == 0
    with pytest.raises(WalletRefusal):
        hold(acme, KES)


def test_a_frozen_wallet_refuses_a_request_for_money_as_an_empty_one_does(
    acme: Organisation,
) -> None:
    wallet.top_up(acme, 50 * KES, key="p")
    hold(acme, 150 * KES)
    wallet.reverse_top_up(acme, "p", key="r")

    result = send_bulk(recipients=kenyan_numbers(2), message="Hi", organisation=acme)

    assert [draft.error for draft in result.drafts] == ["insufficient_balance", "skipped"]


# Limits


def test_credit_can_be_used_to_its_last_micro_and_not_be_lowered_below_what_is_used(
    acme: Organisation,
) -> None:
    wallet.set_credit_limit(acme, 20 * KES)
    hold(acme, 120 * KES)

    with pytest.raises(WalletRefusal) as refusal:
        wallet.set_credit_limit(acme, 20 * KES - 1)

    assert refusal.value.code == "credit_in_use"
    assert "KES 20.00" in refusal.value.detail
    assert wallet.of(acme).credit_limit_micros == 20 * KES
    wallet.set_credit_limit(acme, None)
    assert wallet.spendable(wallet.of(acme)) is None


def test_more_than_there_is_cannot_be_held(acme: Organisation) -> None:
    with pytest.raises(WalletRefusal) as refusal:
        hold(acme, 100 * KES + 1)

    assert refusal.value.code == "below_limit"
    check_books(acme)


@pytest.mark.parametrize("limit", [-1, 1.5, True])
def test_a_limit_that_is_none_is_refused(acme: Organisation, limit: Any) -> None:
    for set_limit in (wallet.set_credit_limit, wallet.set_spend_cap):
        with pytest.raises(ValueError, match="limit"):
            set_limit(acme, limit)


# The daily spend cap


def left(organisation: Organisation) -> int | None:
    return wallet.cap_left(wallet.of(organisation), clock.now())


def test_the_cap_counts_the_days_holds_less_their_releases(acme: Organisation) -> None:
    hold(acme, 10 * KES)
    assert left(acme) is None

    wallet.set_spend_cap(acme, 30 * KES)
    assert left(acme) == 20 * KES
    second = hold(acme, 15 * KES)
    assert left(acme) == 5 * KES
    wallet.release({second.pk: 4 * KES}, "x", clock.now())
    assert left(acme) == 9 * KES
    wallet.capture({second.pk: 11 * KES}, "x", clock.now())
    wallet.refund({second.pk: 11 * KES}, {second.pk: "x"}, clock.now())
    assert left(acme) == 9 * KES, "a refund is of another day: it gives no spending back"
    wallet.set_spend_cap(acme, 5 * KES)
    assert left(acme) == 0


def test_the_caps_day_is_the_organisations_own(acme: Organisation) -> None:
    wallet.set_spend_cap(acme, 30 * KES)  # it is 09:00 UTC: noon in Nairobi
    hold(acme, 30 * KES)

    virtual_clock.advance(hours=11, minutes=59)
    assert left(acme) == 0
    virtual_clock.advance(minutes=1)  # midnight in Nairobi, 21:00 UTC
    assert left(acme) == 30 * KES


def test_a_release_on_the_next_day_gives_back_the_first_days_cap_only(acme: Organisation) -> None:
    wallet.set_spend_cap(acme, 30 * KES)
    yesterday = hold(acme, 30 * KES)
    virtual_clock.advance(days=1)
    hold(acme, 20 * KES)

    wallet.release({yesterday.pk: 30 * KES}, "x", clock.now())

    assert left(acme) == 10 * KES


def test_another_organisations_holds_do_not_count(acme: Organisation) -> None:
    wallet.set_spend_cap(acme, 30 * KES)
    hold(make_organisation(balance_micros=100 * KES), 50 * KES)

    assert left(acme) == 30 * KES


@pytest.mark.parametrize(
    ("now", "zone", "start", "hours"),
    [
        ("2026-01-05T20:59:59", "Africa/Nairobi", "2026-01-04T21:00:00", 24),
        ("2026-01-05T21:00:00", "Africa/Nairobi", "2026-01-05T21:00:00", 24),
        ("2026-03-29T12:00:00", "Europe/Berlin", "2026-03-28T23:00:00", 23),
        ("2026-10-25T12:00:00", "Europe/Berlin", "2026-10-24T22:00:00", 25),
        # Clocks go from 24:00 to 01:00: the day begins at one o'clock.
        ("2026-09-06T12:00:00", "America/Santiago", "2026-09-06T04:00:00", 23),
        # Clocks go from 01:00 back to 00:00: midnight comes twice, the first one counts.
        ("2026-11-01T12:00:00", "America/Havana", "2026-11-01T04:00:00", 25),
    ],
)
def test_a_day_may_have_23_or_25_hours(now: str, zone: str, start: str, hours: int) -> None:
    moment = dt.datetime.fromisoformat(f"{now}+00:00")

    begins, ends = wallet.day_of(moment, zone)

    assert begins == dt.datetime.fromisoformat(f"{start}+00:00")
    assert ends - begins == dt.timedelta(hours=hours)
    assert begins <= moment < ends


# The low-balance signal


@pytest.fixture
def told() -> Iterator[list[int]]:
    """What was available when the signal was sent, each time."""
    seen: list[int] = []

    def listen(**fact: Any) -> None:
        seen.append(fact["available_micros"])

    signals.low_balance.connect(listen)
    yield seen
    signals.low_balance.disconnect(listen)


@pytest.mark.django_db(transaction=True)
def test_a_low_balance_is_told_once_per_crossing(told: list[int]) -> None:
    acme = make_organisation(balance_micros=100 * KES)
    wallet.set_low_balance(acme, 50 * KES)

    hold(acme, 50 * KES)  # exactly the threshold: not below it
    assert told == []
    hold(acme, 1)
    hold(acme, KES)  # below it already
    assert told == [50 * KES - 1]
    wallet.top_up(acme, 20 * KES, key="p")
    wallet.adjust(acme, -30 * KES, key="a", note="n")
    assert told == [50 * KES - 1, 39 * KES - 1]


@pytest.mark.django_db(transaction=True)
def test_a_low_balance_is_told_after_the_commit_only(told: list[int]) -> None:
    acme = make_organisation(balance_micros=100 * KES)
    wallet.set_low_balance(acme, 50 * KES)

    with transaction.atomic():
        hold(acme, 60 * KES)
        assert told == []
        transaction.set_rollback(True)
    assert told == []
    hold(acme, 60 * KES)

    assert told == [40 * KES]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_breaks_nothing(told: list[int]) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("mail server down")

    acme = make_organisation(balance_micros=100 * KES)
    wallet.set_low_balance(acme, 50 * KES)
    signals.low_balance.connect(fail)
    try:
        hold(acme, 60 * KES)
    finally:
        signals.low_balance.disconnect(fail)

    assert told == [40 * KES]
    check_books(acme)


# The statement


def test_the_statement_is_paged_and_its_balances_follow_each_other(acme: Organisation) -> None:
    for number in range(7):
        wallet.adjust(acme, number + 1, key=str(number), note="n")

    lines: list[wallet.Line] = []
    after: int | None = 0
    while after is not None:
        page = wallet.statement(acme, after_seq=after, limit=3)
        lines += page.lines
        after = page.next_seq

    assert [line.seq for line in lines] == list(range(1, 9))
    assert [line.amount_micros for line in lines] == [100 * KES, 1, 2, 3, 4, 5, 6, 7]
    assert lines[-1].balance_micros == sum(line.amount_micros for line in lines) == available(acme)
    assert list(wallet.lines(acme)) == lines


def test_a_full_last_page_has_no_next_one(acme: Organisation) -> None:
    assert wallet.statement(acme, limit=1).next_seq is None
    assert wallet.statement(acme, after_seq=1) == wallet.Statement([], None)


def test_the_lines_of_a_campaign_add_up_to_its_cost(
    acme: Organisation, carrier: FakeCarrier
) -> None:
    results = [
        send_bulk(recipients=kenyan_numbers(count), message="Hi", organisation=acme)
        for count in (3, 5)
    ]
    carrier.run()

    lines = wallet.statement(acme).lines
    for result in results:
        amounts = [line.amount_micros for line in lines if line.campaign_id == result.id]
        assert -sum(amounts) == campaigns.cost_micros(result.campaign) > 0


def test_the_statement_as_csv_is_safe_to_open_in_a_spreadsheet(acme: Organisation) -> None:
    wallet.adjust(acme, -KES, key="=1+1", note='=HYPERLINK("http://evil")')
    out = io.StringIO()

    call_command("bulksms_statement", acme.slug, stdout=out)

    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["kind"] for row in rows] == ["top-up", "adjustment"]
    assert (rows[1]["amount"], rows[1]["balance"]) == ("-1.00", "99.00")
    assert rows[1]["note"] == '\'=HYPERLINK("http://evil")'


# The ledger is history


def test_the_orm_never_changes_or_deletes_a_ledger_row(acme: Organisation) -> None:
    entry = LedgerEntry.objects.get(wallet__organisation=acme)
    entry.amount_micros = 1
    rows = LedgerEntry.objects.filter(pk=entry.pk)
    attempts = [
        entry.save,
        entry.delete,
        rows.delete,
        lambda: rows.update(amount_micros=1),
        lambda: LedgerEntry.objects.bulk_update([entry], ["amount_micros"]),
        lambda: LedgerEntry.objects.bulk_create(
            [entry], update_conflicts=True, update_fields=["note"], unique_fields=["id"]
        ),
        lambda: LedgerEntry.objects.update_or_create(pk=entry.pk, defaults={"note": "x"}),
        acme.wallet.entries.all().delete,
    ]

    for attempt in attempts:
        with pytest.raises(AppendOnly), transaction.atomic():
            attempt()

    assert LedgerEntry.objects.get(pk=entry.pk).amount_micros == 100 * KES


def test_a_copy_with_a_known_key_does_not_overwrite_the_row(acme: Organisation) -> None:
    entry = LedgerEntry.objects.get(wallet__organisation=acme)
    copy = LedgerEntry(**{f.attname: getattr(entry, f.attname) for f in entry._meta.fields})
    copy.amount_micros = 1

    with pytest.raises(DatabaseError), transaction.atomic():
        copy.save()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE bulksms_ledgerentry SET amount_micros = 1",
        "DELETE FROM bulksms_ledgerentry",
        "UPDATE bulksms_wallet SET currency = 'UGX'",
    ],
)
def test_postgresql_refuses_to_rewrite_history(acme: Organisation, sql: str) -> None:
    refused_by_database(sql)


def refused_by_database(sql: str, params: list[object] | None = None) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params or [])


@pytest.mark.parametrize(
    "change",
    [
        "available_micros = -1",
        "credit_limit_micros = -1",
        "owed_micros = -1",
        "daily_spend_cap_micros = -1",
        "last_seq = -1",
        "currency = ''",
    ],
)
def test_the_database_keeps_the_wallets_rules(acme: Organisation, change: str) -> None:
    refused_by_database(f"UPDATE bulksms_wallet SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "captured_micros = held_micros + 1",
        "captured_micros = 6000000, released_micros = 5000000",
        "refunded_micros = 1",
        "released_micros = -1",
        "closed_at = '2026-01-01'",
    ],
)
def test_the_database_keeps_the_holds_rules(acme: Organisation, change: str) -> None:
    hold(acme, 10 * KES)

    refused_by_database(f"UPDATE bulksms_hold SET {change}")


_WRONG_ENTRIES: list[dict[str, object]] = [
    {"amount_micros": 0},
    {"amount_micros": -1},
    {"source": "air"},
    {"source": FUNDING, "target": HELD},
    {"key": ""},
    {"seq": None},
    {"seq": 0},
    {"seq": 1},
    {"available_after_micros": None},
    {"hold_seq": 1},
    {"owed_after_micros": 0},
    {"source": "owed"},
    {"source": "owed", "owed_after_micros": -1},
    {"source": AVAILABLE, "target": FUNDING},
    {"source": AVAILABLE, "target": HELD},
    {"source": HELD, "target": SPENT, "hold_seq": 1},
    {"key": "top-up:used"},
]


@pytest.mark.parametrize("wrong", _WRONG_ENTRIES, ids=str)
def test_the_database_keeps_the_ledgers_rules(acme: Organisation, wrong: dict[str, object]) -> None:
    wallet.top_up(acme, KES, key="used")
    right = {
        "wallet": wallet.of(acme), "source": ADJUSTMENT, "target": AVAILABLE, "amount_micros": 5,
        "key": "k", "seq": 3, "available_after_micros": 5, "created_at": clock.now(),
    }  # fmt: skip

    with pytest.raises(DatabaseError), transaction.atomic():
        LedgerEntry.objects.create(**{**right, **wrong})
    LedgerEntry.objects.create(**right)


# Who may


def test_nothing_in_the_api_can_credit_a_wallet_or_change_its_limits() -> None:
    operators = {
        "top_up", "adjust", "reverse_top_up", "set_credit_limit", "set_spend_cap",
        "set_low_balance", "open_wallet", "refund", "post", "funding", "ledger",
    }  # fmt: skip
    used = set()
    for path in (Path(bulksms.__file__).parent / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            used |= {getattr(node, "attr", ""), getattr(node, "id", "")}
            used |= {alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")}

    assert not used & operators


# Locks


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_wallet_that_is_held_delays_no_capture_and_a_release_is_left_for_later() -> None:
    acme = make_organisation(balance_micros=100 * KES)
    first = hold(acme, 10 * KES)
    done: list[object] = []

    def settle() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
                wallet.capture({first.pk: 6 * KES}, "x", clock.now())
                done.append(wallet.release({first.pk: 4 * KES}, "x", clock.now()))
        finally:
            connection.close()

    with transaction.atomic():
        wallet.reserve(wallet.lock(acme), make_campaign(acme), KES)
        thread = threading.Thread(target=settle)
        thread.start()
        thread.join(10)

    assert done == [set()], "captured at once, released nothing"
    first.refresh_from_db()
    assert (first.captured_micros, first.released_micros) == (6 * KES, 0)
    assert first.release_due_at is not None
    check_books(acme)


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_second_sender_is_told_that_the_wallet_is_busy(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "WALLET_LOCK_TIMEOUT_S": 0.2}
    acme = make_organisation(balance_micros=100 * KES)
    seen: list[str] = []

    def send() -> None:
        try:
            hold(acme, KES)
        except WalletBusy as error:
            seen.append(error.code)
        finally:
            connection.close()

    with transaction.atomic():
        wallet.lock(acme)
        thread = threading.Thread(target=send)
        thread.start()
        thread.join(10)

    assert seen == ["wallet_busy"]


# The commands


def run(name: str, *args: str) -> str:
    out = io.StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


def test_the_commands_move_money_and_repeat_without_harm(acme: Organisation) -> None:
    pay = ("bulksms_topup", acme.slug, "50.00", "--provider", "mpesa", "--reference", "QX1")

    assert "the balance of" in run(*pay)
    run(*pay)
    run("bulksms_adjust", acme.slug, "--amount", "-0.50", "--key", "fee", "--note", "sender ID")
    assert available(acme) == 149_500_000
    hold(acme, 149 * KES)
    said = run("bulksms_topup", acme.slug, "--provider", "mpesa", "--reference", "QX1", "--reverse")

    assert "KES 49.50 is owed" in said
    assert owed(acme) == 49_500_000


def test_the_commands_set_limits(acme: Organisation) -> None:
    run("bulksms_adjust", acme.slug, "--credit-limit", "5.00")
    run("bulksms_adjust", acme.slug, "--daily-cap", "20")
    run("bulksms_adjust", acme.slug, "--low-balance", "10")

    purse = Wallet.objects.get(organisation=acme)
    limits = (purse.credit_limit_micros, purse.daily_spend_cap_micros, purse.low_balance_micros)
    assert limits == (5 * KES, 20 * KES, 10 * KES)
    run("bulksms_adjust", acme.slug, "--daily-cap", "none")
    assert wallet.of(acme).daily_spend_cap_micros is None


@pytest.mark.parametrize(
    "args",
    [
        ("bulksms_topup", "nobody", "1", "--reference", "x"),
        ("bulksms_topup", "ACME", "1.0000001", "--reference", "x"),
        ("bulksms_topup", "ACME", "-1", "--reference", "x"),
        ("bulksms_topup", "ACME", "--reference", "x"),
        ("bulksms_topup", "ACME", "--reverse", "--reference", "x"),
        ("bulksms_adjust", "ACME", "--amount", "1"),
        ("bulksms_adjust", "ACME", "--amount", "-101", "--key", "k", "--note", "n"),
        ("bulksms_adjust", "ACME", "--credit-limit", "-1"),
        ("bulksms_statement", "nobody"),
    ],
)
def test_a_command_that_cannot_do_it_says_so_and_changes_nothing(
    acme: Organisation, args: tuple[str, ...]
) -> None:
    with pytest.raises(CommandError):
        run(*(acme.slug if arg == "ACME" else arg for arg in args))

    assert available(acme) == 100 * KES
    assert not Hold.objects.exists()
