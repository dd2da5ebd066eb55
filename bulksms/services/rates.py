"""Rate cards: reading, adding and exchanging the rates of organisations and the default ones.

CSV columns: ``organisation`` (slug; empty = the default card), ``prefix`` (E.164 digits; empty =
every number), ``currency``, ``price`` (per unit, plain decimal), ``effective_from`` (ISO 8601 with
a zone; empty = now). An import is all or nothing and names every fault with its line.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db import transaction
from django.db.models import QuerySet

from bulksms import clock, money, spreadsheet
from bulksms.exceptions import BulkSmsError
from bulksms.models import Organisation, Rate, Wallet

COLUMNS = ("organisation", "prefix", "currency", "price", "effective_from")
MAX_ROWS = 100_000

_PREFIX = re.compile(r"[0-9]{0,15}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class RowError(NamedTuple):
    """A fault of one row: its line in the file (the header is 1), the column, a sentence."""

    line: int
    column: str
    detail: str


class InvalidRates(BulkSmsError):
    """The rates cannot be imported; nothing was. ``errors`` has every fault."""

    code = "invalid_rates"

    def __init__(self, errors: Sequence[RowError]) -> None:
        first = errors[0]
        super().__init__(f"line {first.line}, {first.column}: {first.detail}")
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class NewRate:
    """A rate as somebody gives it. ``organisation`` is a slug; empty = the default card."""

    organisation: str
    prefix: str
    currency: str
    price_micros: int
    effective_from: dt.datetime


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added (or would add, in a dry run), and how many rows were there already."""

    added: list[NewRate]
    unchanged: int


class Writable(Protocol):
    """What ``csv.writer`` needs of a file."""

    def write(self, text: str, /) -> object:
        """Take ``text``."""


# Reading


def history(organisation: Organisation | None) -> QuerySet[Rate]:
    """All rates of one card, also future ones, newest first; None = the default card."""
    return Rate.objects.filter(organisation=organisation).order_by("-effective_from", "-id")


def current(organisation: Organisation | None, currency: str, at: dt.datetime) -> list[Rate]:
    """The rates of one card that are in force at ``at``, one per prefix, in order of prefix."""
    rates = history(organisation).filter(currency=currency, effective_from__lte=at)
    newest = {rate.prefix: rate for rate in rates.reverse()}
    return [newest[prefix] for prefix in sorted(newest)]


def export_csv(file: Writable) -> int:
    """Write the whole history of all cards, oldest first; returns how many rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = Rate.objects.order_by("effective_from", "id").values_list(
        "organisation__slug", "prefix", "currency", "price_micros", "effective_from"
    )
    count = 0
    for slug, prefix, currency, micros, at in rows.iterator():
        when = at.astimezone(dt.UTC).isoformat()
        writer.writerow(
            (spreadsheet.neutral(slug or ""), prefix, currency, money.amount(micros), when)
        )
        count += 1
    return count


# Adding


def import_csv(file: Iterable[str], *, dry_run: bool = False) -> Imported:
    """Add the rates of a CSV file; a row that is there already is left alone.

    Raises InvalidRates with all faults of all rows; then nothing was added.
    """
    now = clock.now()
    rows, errors = _read(file, now)
    return _add(rows, errors, dry_run)


def add(rate: NewRate) -> Imported:
    """Add one rate. Raises InvalidRates."""
    when = rate.effective_from.isoformat()
    price = money.amount(rate.price_micros)
    cells = (rate.organisation, rate.prefix, rate.currency, price, when)
    row, errors = _row(1, dict(zip(COLUMNS, cells, strict=True)), rate.effective_from)
    return _add([(1, row)] if row else [], errors, dry_run=False)


_Rows = list[tuple[int, NewRate]]
_Key = tuple[str, str, str, dt.datetime]


def _add(rows: _Rows, errors: list[RowError], dry_run: bool) -> Imported:
    with transaction.atomic():
        organisations = _organisations({rate.organisation for _, rate in rows})
        errors += _unknown(rows, organisations)
        fresh, conflicts = _fresh(rows)
        if errors or conflicts:
            raise InvalidRates(sorted([*errors, *conflicts]))
        if not dry_run:
            Rate.objects.bulk_create(
                [_model(rate, organisations, clock.now()) for rate in fresh], batch_size=5_000
            )
    return Imported(fresh, len(rows) - len(fresh))


def _model(
    rate: NewRate, organisations: dict[str, tuple[int, str]], now: dt.datetime
) -> Rate:  # fmt: skip
    owner = organisations[rate.organisation][0] if rate.organisation else None
    return Rate(
        organisation_id=owner, prefix=rate.prefix, currency=rate.currency,
        price_micros=rate.price_micros, effective_from=rate.effective_from, created_at=now,
    )  # fmt: skip


# Checking rows against each other and against what is there


def _organisations(slugs: set[str]) -> dict[str, tuple[int, str]]:
    """slug -> (id, the currency of its wallet)."""
    wallets = Wallet.objects.filter(organisation__slug__in=slugs - {""})
    rows = wallets.values_list("organisation__slug", "organisation_id", "currency")
    return {slug: (id_, currency) for slug, id_, currency in rows}


def _unknown(rows: _Rows, organisations: dict[str, tuple[int, str]]) -> Iterator[RowError]:
    for line, rate in rows:
        if not rate.organisation:
            continue
        found = organisations.get(rate.organisation)
        if found is None:
            detail = f"There is no organisation {rate.organisation!r} with a wallet."
            yield RowError(line, "organisation", detail)
        elif found[1] != rate.currency:
            detail = f"Its wallet is in {found[1]}: a rate in {rate.currency} would never apply."
            yield RowError(line, "currency", detail)


def _key(rate: NewRate) -> _Key:
    return rate.organisation, rate.prefix, rate.currency, rate.effective_from


def _fresh(rows: _Rows) -> tuple[list[NewRate], list[RowError]]:
    """The rates that are not there yet; and errors for those that are, with another price."""
    known = _known([rate.effective_from for _, rate in rows])
    seen: dict[_Key, int] = {}
    fresh, errors = [], []
    for line, rate in rows:
        key = _key(rate)
        there = known.get(key)
        if key in seen:
            errors.append(RowError(line, "prefix", f"The same rate stands in line {seen[key]}."))
        elif there is None:
            fresh.append(rate)
        elif there != rate.price_micros:
            detail = (
                f"From then on it is {money.amount(there)} already. Rates are history: give the new"
                " price a later moment."
            )
            errors.append(RowError(line, "price", detail))
        seen.setdefault(key, line)
    return fresh, errors


def _known(moments: Sequence[dt.datetime]) -> dict[_Key, int]:
    if not moments:
        return {}
    rates = Rate.objects.filter(effective_from__range=(min(moments), max(moments)))
    columns = ("organisation__slug", "prefix", "currency", "effective_from", "price_micros")
    return {
        (slug or "", prefix, currency, at): price
        for slug, prefix, currency, at, price in rates.values_list(*columns).iterator()
    }


# Reading rows


def _read(file: Iterable[str], now: dt.datetime) -> tuple[_Rows, list[RowError]]:
    reader = csv.DictReader(_without_mark(file), strict=True)
    rows: _Rows = []
    errors: list[RowError] = []
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            return [], [RowError(1, "header", f"The first line must be: {','.join(COLUMNS)}")]
        for count, cells in enumerate(reader, start=1):
            if count > MAX_ROWS:
                return rows, [RowError(reader.line_num, "file", f"At most {MAX_ROWS} rows.")]
            row, found = _row(reader.line_num, cells, now)
            errors += found
            rows += [(reader.line_num, row)] if row else []
    except (csv.Error, UnicodeDecodeError) as error:
        errors.append(RowError(reader.line_num + 1, "file", f"This is no CSV in UTF-8: {error}"))
    return rows, errors


def _without_mark(file: Iterable[str]) -> Iterator[str]:
    """Spreadsheets write a byte order mark before the first column's name."""
    for number, line in enumerate(file):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _row(
    line: int, cells: dict[str, str], now: dt.datetime
) -> tuple[NewRate | None, list[RowError]]:
    if None in cells or None in cells.values():
        return None, [RowError(line, "row", f"A row has {len(COLUMNS)} cells.")]
    text = {name: spreadsheet.plain(cells[name].strip()) for name in COLUMNS}
    errors: list[RowError] = []

    def check(column: str, right: bool, detail: str) -> None:
        if not right:
            errors.append(RowError(line, column, detail))

    prefix = text["prefix"].removeprefix("+")
    price, price_error = _price(text["price"])
    at = _moment(text["effective_from"], now)
    check("prefix", bool(_PREFIX.fullmatch(prefix)), "Digits only, at most 15; or empty.")
    check("currency", bool(_CURRENCY.fullmatch(text["currency"])), "Three letters, like KES.")
    check("price", price is not None, price_error)
    check("effective_from", at is not None, "A moment with its zone, like 2026-01-31T00:00+03:00.")
    if errors or price is None or at is None:
        return None, errors
    return NewRate(text["organisation"], prefix, text["currency"], price, at), []


def _price(text: str) -> tuple[int | None, str]:
    try:
        price = money.parse(text)
    except money.MoneyError as error:
        return None, str(error)
    return (price, "") if price >= 0 else (None, "A price is not negative.")


def _moment(text: str, now: dt.datetime) -> dt.datetime | None:
    if not text:
        return now
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else None
