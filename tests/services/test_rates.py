"""Rate cards: history, and CSV in and out with all faults at once."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bulksms import clock, spreadsheet
from bulksms.exceptions import AppendOnly
from bulksms.models import Organisation, Rate
from bulksms.services import pricing, rates
from bulksms.services.rates import InvalidRates, NewRate
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db

HEADER = "organisation,prefix,currency,price,effective_from\n"
JANUARY = "2026-01-01T00:00:00+03:00"


@pytest.fixture
def acme() -> Organisation:
    return make_organisation(price_micros=None)


def load(*rows: str, dry_run: bool = False) -> rates.Imported:
    return rates.import_csv(io.StringIO(HEADER + "\n".join(rows) + "\n"), dry_run=dry_run)


def faults(*rows: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidRates) as caught:
        load(*rows)
    return [(fault.line, fault.column) for fault in caught.value.errors]


def exported() -> str:
    out = io.StringIO()
    rates.export_csv(out)
    return out.getvalue()


def test_an_import_fills_the_default_card_and_an_organisations_own(acme: Organisation) -> None:
    found = load(f",,KES,0.80,{JANUARY}", f"{acme.slug},+254712,KES,0.605,{JANUARY}")

    assert (len(found.added), found.unchanged) == (2, 0)
    tariff = pricing.tariff(acme, "KES", clock.now())
    assert tariff.price("254733000000") == 800_000
    assert tariff.price("254712000000") == 605_000


def test_all_faults_of_all_rows_come_at_once_and_nothing_is_imported(acme: Organisation) -> None:
    found = faults(
        f",,KES,0.80,{JANUARY}",  # line 2 is right
        f",25x,kes,-1,{JANUARY}",
        ",,KES,free,2026-01-01",
        f"nobody,,KES,1,{JANUARY}",
        f"{acme.slug},,UGX,1,{JANUARY}",
        ",,KES",
        f",,KES,0.80,{JANUARY}",
        f",{'1' * 16},KES,0.0000001,{JANUARY}",
    )

    assert found == [
        (3, "currency"), (3, "prefix"), (3, "price"),
        (4, "effective_from"), (4, "price"),
        (5, "organisation"), (6, "currency"), (7, "row"), (8, "prefix"),
        (9, "prefix"), (9, "price"),
    ]  # fmt: skip
    assert not Rate.objects.exists()


@pytest.mark.parametrize("price", ["1e3", "1,5", "NaN", "", "-0.01", "=1+1", "0.8 KES"])
def test_a_price_that_is_none_is_a_fault(price: str) -> None:
    assert faults(f',,KES,"{price}",{JANUARY}') == [(2, "price")]


@pytest.mark.parametrize("start", ["2026-01-01", "2026-01-01T00:00", "tomorrow", "01/02/2026"])
def test_a_moment_without_a_zone_is_a_fault(start: str) -> None:
    assert faults(f",,KES,1,{start}") == [(2, "effective_from")]


@pytest.mark.parametrize(
    "text",
    ["", "prefix,price\n254,1\n", HEADER.replace(",", ";"), HEADER + ',,KES,"1\n', "\0\n"],
)
def test_a_file_that_is_something_else_is_one_fault(text: str) -> None:
    with pytest.raises(InvalidRates):
        rates.import_csv(io.StringIO(text))
    assert not Rate.objects.exists()


def test_a_spreadsheets_own_mark_and_line_ends_are_read() -> None:
    rates.import_csv(io.StringIO(f"\ufeff{HEADER}".replace("\n", "\r\n") + ",,KES,1,\r\n"))

    assert Rate.objects.get().effective_from == clock.now()


def test_a_dry_run_shows_what_would_be_added_and_adds_nothing(acme: Organisation) -> None:
    found = load(f"{acme.slug},254,KES,1,{JANUARY}", dry_run=True)

    start = dt.datetime(2025, 12, 31, 21, tzinfo=dt.UTC)
    assert found.added == [NewRate(acme.slug, "254", "KES", 1_000_000, start)]
    assert not Rate.objects.exists()


def test_an_export_reads_back_as_nothing_new(acme: Organisation) -> None:
    load(f",,KES,0.80,{JANUARY}", f"{acme.slug},254,KES,0.605,{JANUARY}", ",256,UGX,30,")
    first = exported()

    again = rates.import_csv(io.StringIO(first))

    assert (again.added, again.unchanged) == ([], 3)
    assert exported() == first


def test_history_is_not_rewritten_by_an_import() -> None:
    load(f",,KES,0.80,{JANUARY}")

    assert faults(f",,KES,0.90,{JANUARY}") == [(2, "price")]
    load(",,KES,0.90,2026-01-02T00:00:00+03:00")

    prices = [rate.price_micros for rate in rates.history(None)]
    assert prices == [900_000, 800_000]


def test_the_rates_in_force_are_one_per_prefix() -> None:
    load(
        f",,KES,0.80,{JANUARY}", f",254,KES,0.70,{JANUARY}", ",,KES,0.90,2026-01-02T00:00+03:00",
        ",,KES,9,2027-01-01T00:00+03:00", f",,UGX,30,{JANUARY}",
    )  # fmt: skip

    found = rates.current(None, "KES", clock.now())

    assert [(rate.prefix, rate.price_micros) for rate in found] == [("", 900_000), ("254", 700_000)]


def test_the_orm_changes_no_rate() -> None:
    load(f",,KES,0.80,{JANUARY}")
    rate = Rate.objects.get()
    rate.price_micros = 1

    for attempt in (rate.save, rate.delete, lambda: Rate.objects.update(price_micros=1)):
        with pytest.raises(AppendOnly):
            attempt()


@pytest.mark.postgres  # SQLite splits a large insert
def test_statements_do_not_grow_with_the_rows(django_assert_num_queries: Any) -> None:
    rows = [f",{number},KES,1,{JANUARY}" for number in range(1, 2_001)]

    with django_assert_num_queries(4):  # the savepoint (2), the rates that are there, the insert
        load(*rows)

    assert Rate.objects.count() == 2_000


@pytest.mark.parametrize("text", ["=1+1", "+254", "-x", "@x", "\tx", "'x", "'=x", "acme", ""])
def test_a_neutral_cell_runs_nothing_and_reads_back(text: str) -> None:
    cell = spreadsheet.neutral(text)

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert spreadsheet.plain(cell) == text


def test_a_slug_that_looks_like_a_formula_round_trips() -> None:
    owner = make_organisation(price_micros=None)
    Organisation.objects.filter(pk=owner.pk).update(slug="-1")
    rates.add(NewRate("-1", "", "KES", 5, clock.now()))

    text = exported()

    assert next(csv.reader(text.splitlines()[1:]))[0] == "'-1"
    assert rates.import_csv(io.StringIO(text)).unchanged == 1


# The command


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("bulksms_rates", *args, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_sets_lists_exports_and_imports(acme: Organisation, tmp_path: Path) -> None:
    run("set", "0.80", "--currency", "KES")
    run("set", "0.5", "--currency", "KES", "--organisation", acme.slug, "--prefix", "254")
    assert "+254: KES 0.50" in run("list", "--organisation", acme.slug)
    file = tmp_path / "rates.csv"
    file.write_text(run("export") + ",256,KES,3,2026-02-01T00:00Z\n")

    assert "1 would be added, 2 there already" in run("import", str(file), "--dry-run")
    assert "default +256: KES 3.00" in run("import", str(file))

    assert Rate.objects.count() == 3


def test_the_command_names_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(HEADER + ",x,KES,1,\n,,KES,y,\n")
    out = io.StringIO()

    with pytest.raises(CommandError, match="2 fault"):
        call_command("bulksms_rates", "import", str(file), stderr=out)

    assert "line 2, prefix:" in out.getvalue()
    assert "line 3, price:" in out.getvalue()


@pytest.mark.parametrize(
    "args",
    [
        ("set", "x", "--currency", "KES"),
        ("set", "1", "--currency", "kes"),
        ("set", "1", "--currency", "KES", "--from", "2026-01-01"),
        ("set", "1", "--currency", "KES", "--organisation", "nobody"),
        ("import", "/nowhere.csv"),
    ],
)
def test_the_command_refuses_what_is_wrong(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*args)
