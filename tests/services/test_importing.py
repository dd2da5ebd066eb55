"""Sending a table: all is looked at first, chunks are sent once, a repeat goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulksms import clock, states
from bulksms.exceptions import Conflict, InvalidRequest, PaymentRequired
from bulksms.models import Campaign, Message, Organisation, Wallet
from bulksms.services import importing, rates, sending, series, suppression, wallet
from bulksms.services.importing import Checked, Job, RowError
from bulksms.services.series import Options, Series
from bulksms.tables import Table, TableError
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db

KES = 1_000_000
MakeJob = Callable[..., Job]


@pytest.fixture
def shop() -> Organisation:
    return make_organisation()


@pytest.fixture
def job(tmp_path: Path, shop: Organisation) -> MakeJob:
    def make(content: str, message: str | None = "Hi {name}", **options: Any) -> Job:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        path.write_text(content)
        own = {"message_column", "phone_column", "may_be_empty"} & set(options)
        more = {name: options.pop(name) for name in own}
        return Job(shop, Table(path), Options(message, **options), **more)

    return make


@pytest.fixture
def small_chunks(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_RECIPIENTS": 2}


def five(rows: int = 5) -> str:
    lines = [f"{number},N{place}" for place, number in enumerate(kenyan_numbers(rows))]
    return "\n".join(["phone,name", *lines]) + "\n"


def check(job: Job) -> tuple[Checked, list[RowError]]:
    errors: list[RowError] = []
    return importing.check(job, on_error=errors.append, progress=lambda _: None), errors


def send(job: Job) -> Series:
    checked, _ = check(job)
    sent = importing.start(job, checked)
    importing.send(job, checked, sent, progress=lambda _: None)
    return sent


def texts() -> list[str]:
    """Of all messages; ids of campaigns of one millisecond are in no order."""
    return sorted(text or "" for text in Message.objects.values_list("text", flat=True))


# Looking


def test_every_fault_has_its_line_its_column_and_a_code(job: MakeJob, shop: Organisation) -> None:
    suppression.suppress(["254723456789"], organisation=shop)
    rows = [
        "phone,name", "0712345678,Ann", "071234,Bob", "0712345679", "0712345670,", "",
        "+256712345678,Ugo", "0723456789,Sue", "2.54712E+11,Cy",
    ]  # fmt: skip

    checked, errors = check(job("\n".join(rows)))

    assert [(error.line, error.column, error.code) for error in errors] == [
        (3, "phone", "invalid_recipient"),
        (4, "", "wrong_number_of_cells"),
        (5, "name", "missing_variable"),
        (7, "phone", "destination_not_allowed"),
        (8, "phone", "suppressed"),
        (9, "phone", "invalid_recipient"),
    ]
    assert "make the cell text" in errors[-1].detail
    assert (checked.rows, checked.errors, checked.sendable) == (7, 6, 1)
    assert not Campaign.objects.exists()


def test_the_cost_is_of_every_rows_own_text(job: MakeJob) -> None:
    long = "x" * 200
    checked, _ = check(job(f"phone,name\n0712345678,Ann\n0712345679,{long}\n"))
    assert (checked.units, checked.cost_micros, checked.currency) == (3, 3 * KES, "KES")


def test_the_same_number_with_the_same_text_is_a_duplicate_however_far_apart(
    job: MakeJob, small_chunks: None
) -> None:
    wanted = job(five() + "+254712000000,N0\n254712000000,Other\n")

    checked, _ = check(wanted)
    sent = send(wanted)

    assert (checked.sendable, checked.duplicates) == (6, 1)
    assert (sent.queued, sorted(texts())[-1]) == (6, "Hi Other")


def test_a_placeholder_without_a_column_is_an_error_of_the_whole(job: MakeJob) -> None:
    with pytest.raises(TableError, match=r"placeholder \{nmae\}. There are: phone, name"):
        check(job(five(), "Hi {nmae}"))


def test_a_sender_that_is_not_ours_is_an_error_of_the_whole(job: MakeJob) -> None:
    with pytest.raises(InvalidRequest, match="not registered"):
        check(job(five(), sender_id="STRANGER"))


def test_a_table_without_rows_is_an_error(job: MakeJob) -> None:
    with pytest.raises(TableError, match="no rows"):
        check(job("phone,name\n"))


def test_an_empty_cell_is_left_empty_when_that_is_said(job: MakeJob) -> None:
    sent = send(job("phone,name\n0712345678,\n", may_be_empty=True))
    assert (sent.queued, texts()) == (1, ["Hi "])


# Sending


def test_everybody_gets_their_own_text_in_chunks(job: MakeJob, small_chunks: None) -> None:
    sent = send(job(five()))

    assert (len(sent.campaigns), sent.queued, sent.cost_micros) == (3, 5, 5 * KES)
    assert texts() == [f"Hi N{place}" for place in range(5)]


def test_one_text_for_all_is_stored_once(job: MakeJob) -> None:
    send(job(five(), "Closed on Monday"))
    assert Campaign.objects.get().message == "Closed on Monday"
    assert set(Message.objects.values_list("text", flat=True)) == {None}


def test_a_column_may_have_the_texts(job: MakeJob) -> None:
    rows = "to;text;town\n0712345678;Hi {town};Kisumu\n0723456789;Bye;Nairobi\n"
    send(job(rows, None, message_column="text"))
    assert texts() == ["Bye", "Hi Kisumu"]


def test_only_the_good_rows_are_sent(job: MakeJob) -> None:
    sent = send(job("phone,name\n0712345678,Ann\nnonsense,Bob\n0723456789,Cy\n"))
    assert (sent.queued, sent.failed, texts()) == (2, 0, ["Hi Ann", "Hi Cy"])


def test_a_schedule_and_a_name_hold_for_every_chunk(job: MakeJob, small_chunks: None) -> None:
    later = clock.now() + dt.timedelta(hours=3)
    send(job(five(), scheduled_at=later, name="March bills"))
    found = set(Campaign.objects.values_list("status", "scheduled_at", "name"))
    assert found == {(states.SCHEDULED, later, "March bills")}


# Once


def test_the_same_again_sends_nothing_even_months_later(job: MakeJob, small_chunks: None) -> None:
    first = send(job(five()))
    virtual_clock.advance(days=90)

    again = send(job(five()))

    assert (again.queued, again.earlier, again.campaigns) == (0, 5, first.campaigns)
    assert Message.objects.count() == 5


@pytest.mark.parametrize("other", [{"name": "again"}, {"message": "Dear {name}"}])
def test_another_name_or_text_is_another_send(job: MakeJob, other: dict[str, str]) -> None:
    send(job(five()))
    assert send(job(five(), **other)).queued == 5


def test_a_repeat_goes_on_after_the_last_chunk_that_was_sent(
    job: MakeJob, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = sending.send, []

    def breaks(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(sending, "send", breaks)
    with pytest.raises(KeyboardInterrupt):
        send(job(five()))
    assert Message.objects.count() == 2

    sent = send(job(five()))

    assert (sent.earlier, sent.queued, len(sent.campaigns)) == (2, 3, 3)
    assert texts() == [f"Hi N{place}" for place in range(5)]


def test_a_repeat_with_larger_chunks_sends_nobody_twice(
    job: MakeJob, small_chunks: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job(five())
    checked, _ = check(wanted)
    sent = importing.start(wanted, checked)
    first = kenyan_numbers(2)
    sent.send(
        [{"to": number, "variables": {"name": f"N{n}"}} for n, number in enumerate(first)],
        wanted.options, last=3, budget_micros=None,
    )  # fmt: skip
    settings.BULKSMS = {**settings.BULKSMS, "MAX_RECIPIENTS": 100}

    assert send(wanted).queued == 3
    assert texts() == [f"Hi N{place}" for place in range(5)]


def test_two_at_the_same_time_send_it_once(job: MakeJob, small_chunks: None) -> None:
    wanted = job(five())
    checked, _ = check(wanted)
    slow = importing.start(wanted, checked)
    assert send(wanted).queued == 5

    with pytest.raises(Conflict, match="somebody else"):
        importing.send(wanted, checked, slow, progress=lambda _: None)

    assert Message.objects.count() == 5


def test_a_file_that_changes_meanwhile_is_not_sent(job: MakeJob) -> None:
    wanted = job(five())
    checked, _ = check(wanted)
    sent = importing.start(wanted, checked)
    wanted.table.path.write_text(five(6))

    with pytest.raises(Conflict, match="was changed meanwhile"):
        importing.send(wanted, checked, sent, progress=lambda _: None)
    assert not Message.objects.exists()


# Money


def test_what_the_wallet_cannot_pay_as_a_whole_is_not_begun(
    job: MakeJob, shop: Organisation
) -> None:
    Wallet.objects.filter(organisation=shop).update(available_micros=4 * KES)
    wanted = job(five())
    checked, _ = check(wanted)

    with pytest.raises(PaymentRequired, match=r"It costs KES 5.00; KES 4.00 is available"):
        importing.start(wanted, checked)


def test_the_days_cap_counts_too(job: MakeJob, shop: Organisation) -> None:
    wallet.set_spend_cap(shop, 3 * KES)
    wanted = job(five())
    checked, _ = check(wanted)
    with pytest.raises(PaymentRequired, match=r"KES 3.00 may be spent today"):
        importing.start(wanted, checked)


def test_max_cost_is_for_all_chunks_together(
    job: MakeJob, shop: Organisation, small_chunks: None
) -> None:
    with pytest.raises(PaymentRequired, match=r"more than max_cost KES 4\.00"):
        send(job(five(), max_cost="4"))
    assert not Message.objects.exists()

    wanted = job(five(), max_cost="5")
    checked, _ = check(wanted)
    sent = importing.start(wanted, checked)
    rates.add(rates.NewRate(shop.slug, "", "KES", 2 * KES, clock.now()))
    with pytest.raises(PaymentRequired, match="max_cost"):
        importing.send(wanted, checked, sent, progress=lambda _: None)
    assert sent.cost_micros <= 5 * KES


def test_money_that_runs_out_on_the_way_stops_it_and_a_repeat_goes_on(
    job: MakeJob, shop: Organisation, small_chunks: None
) -> None:
    wanted = job(five())
    checked, _ = check(wanted)
    sent = importing.start(wanted, checked)
    purse = Wallet.objects.filter(organisation=shop)
    purse.update(available_micros=3 * KES)

    with pytest.raises(PaymentRequired):
        importing.send(wanted, checked, sent, progress=lambda _: None)
    assert sent.queued == 2
    purse.update(available_micros=100 * KES)

    assert send(wanted).queued == 3
    assert Message.objects.count() == 5


def test_a_key_is_bounded(shop: Organisation) -> None:
    with pytest.raises(InvalidRequest, match="1 to 240"):
        series.find(shop, "x" * 241)
