"""Sending a table: every row is looked at before the first one is sent, in flat memory.

The file is read twice. The first time each row is checked and priced, and one byte is kept of it;
the second time what was found good is sent, as a series. A repeat of the same file with the same
text goes on where the first one was broken off.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from bulksms import clock, money, spreadsheet
from bulksms.exceptions import Conflict, PaymentRequired
from bulksms.models import Organisation
from bulksms.services import series, wallet
from bulksms.services.series import Looker, Options, Series
from bulksms.services.wallet import SPEND_CAP_REACHED
from bulksms.sms import templates
from bulksms.tables import Row, Table, TableError

_BAD, _GOOD, _DUPLICATE = 0, 1, 2


class RowError(NamedTuple):
    """What is wrong with one row; ``code`` is stable, ``detail`` is for people."""

    line: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """A table and what is to be said to its rows; ``options.message`` is None where the column
    ``message_column`` has a text for each. ``may_be_empty``: a placeholder's cell may."""

    organisation: Organisation
    table: Table
    options: Options
    phone_column: str = ""
    message_column: str = ""
    may_be_empty: bool = False

    @property
    def key(self) -> str:
        """The same table, text, sender, organisation and name are the same send, for ever."""
        options = self.options
        said = (options.message, self.phone_column, self.message_column, options.sender_id)
        document = repr((self.table.digest(), said, options.name))
        return f"file:{hashlib.sha256(document.encode()).hexdigest()[:40]}"


@dataclass(slots=True)
class Checked:
    """What the first reading found. Money in micros of ``currency``."""

    rows: int = 0
    errors: int = 0
    duplicates: int = 0
    sendable: int = 0
    units: int = 0
    cost_micros: int = 0
    currency: str = ""
    max_cost_micros: int | None = None
    last_line: int = 0
    #: What the file was when it was read.
    stamp: tuple[int, int] = (0, 0)
    #: One byte for each row.
    verdicts: bytearray = field(default_factory=bytearray, repr=False)


class _Reader:
    """Makes items of ``send_bulk`` of a job's rows. Raises TableError for what is wrong with all"""

    def __init__(self, job: Job) -> None:
        table = job.table
        self._width = len(table.columns)
        self._job = job
        self._phone = table.find(job.phone_column) if job.phone_column else table.find_phone()
        self._text = table.find(job.message_column) if job.message_column else None
        self._values = dict(table.variables)
        if job.options.message is not None:
            self._values = {
                name: self._place(name) for name in templates.compile(job.options.message).names
            }
        #: Whether the one text is sent as it is.
        self.is_plain = "{" not in (job.options.message or "{")

    def _place(self, name: str) -> int:
        if name in self._values:
            return self._values[name]
        names = ", ".join(known for known in self._values if known.isidentifier())
        raise TableError(f"No column fills the placeholder {{{name}}}. There are: {names}.")

    @property
    def phone_column(self) -> str:
        return self._job.table.columns[self._phone]

    def item(self, row: Row) -> dict[str, Any] | RowError:
        if len(row.cells) != self._width:
            detail = f"It has {len(row.cells)} cells; the first line names {self._width} columns."
            return RowError(row.line, "", "wrong_number_of_cells", detail)
        values = {name: row.cells[place] for name, place in self._values.items()}
        item: dict[str, Any] = {
            "to": spreadsheet.plain(row.cells[self._phone]), "variables": values
        }  # fmt: skip
        if self._text is not None:
            item["message"] = row.cells[self._text]
        elif not self._job.may_be_empty:
            for name, value in values.items():
                if not value:
                    detail = f"The cell for the placeholder {{{name}}} is empty."
                    return RowError(row.line, name, "missing_variable", detail)
        return item


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while batch := list(islice(rows, size)):
        yield batch


# The first reading


def check(
    job: Job, *, on_error: Callable[[RowError], object], progress: Callable[[int], object]
) -> Checked:
    """Look at every row; nothing is stored or sent. ``on_error`` gets each fault, in order.

    ``progress(n)`` is called for every batch of ``n`` rows. Raises TableError, InvalidRequest (a
    fault of the text, the sender, the options).
    """
    reader, checked = _Reader(job), Checked(stamp=_stamp(job.table))
    with Looker(job.organisation, job.options) as looker:
        for rows in _batches(job.table.rows(), series.chunk_size()):
            faults = _check_batch(reader, looker, rows, checked)
            for fault in faults:
                on_error(fault)
            checked.errors += len(faults)
            checked.rows += len(rows)
            checked.last_line = rows[-1].line
            progress(len(rows))
        if not checked.rows:
            raise TableError(f"{job.table.name} has no rows below its first line.")
        checked.duplicates, checked.sendable = looker.duplicates, looker.sendable
        checked.units, checked.cost_micros = looker.units, looker.cost_micros
        checked.currency, checked.max_cost_micros = looker.currency, looker.max_cost_micros
    return checked


def _check_batch(
    reader: _Reader, looker: Looker, rows: Sequence[Row], checked: Checked
) -> list[RowError]:
    read = [reader.item(row) for row in rows]
    items = [item for item in read if not isinstance(item, RowError)]
    looks = iter(looker.look(items) if items else ())
    faults: list[RowError] = []
    for row, item in zip(rows, read, strict=True):
        if isinstance(item, RowError):
            faults.append(item)
            checked.verdicts.append(_BAD)
            continue
        draft, is_duplicate = next(looks)
        if draft.error:
            faults.append(RowError(row.line, reader.phone_column, draft.error, draft.detail))
        verdict = _BAD if draft.error else _GOOD
        checked.verdicts.append(_DUPLICATE if is_duplicate else verdict)
    return faults


def _stamp(table: Table) -> tuple[int, int]:
    found = os.stat(table.path)
    return found.st_mtime_ns, found.st_size


# The second reading


def start(job: Job, checked: Checked) -> Series:
    """The series of this job, as far as an earlier call came.

    Raises PaymentRequired when the rest costs more than the wallet, the day or ``max_cost`` allow.
    """
    sent = series.find(job.organisation, job.key)
    rest = checked.cost_micros - sent.earlier_micros
    if checked.max_cost_micros is not None and checked.cost_micros > checked.max_cost_micros:
        cost = money.sentence(checked.cost_micros, checked.currency)
        allowed = money.sentence(checked.max_cost_micros, checked.currency)
        raise PaymentRequired(
            f"All of it costs {cost}, more than max_cost {allowed}.", code="max_cost_exceeded"
        )
    purse = wallet.of(job.organisation)
    cap_left = wallet.cap_left(purse, clock.now())
    plan = wallet.plan([max(0, rest)], wallet.spendable(purse), cap_left)
    if plan.stopped_at is not None:
        by_cap = plan.stopped_by == SPEND_CAP_REACHED
        left = money.sentence((plan.cap_left_micros if by_cap else plan.available_micros) or 0,
                              checked.currency)  # fmt: skip
        what = "may be spent today" if by_cap else "is available"
        cost = money.sentence(rest, checked.currency)
        raise PaymentRequired(f"It costs {cost}; {left} {what}.", code=plan.stopped_by or "")
    return sent


def send(
    job: Job, checked: Checked, sent: Series, *, progress: Callable[[int], object]
) -> None:  # fmt: skip
    """Send the good rows that ``sent`` has not sent yet; it counts what was done.

    A transaction for every 10,000 rows of the file. ``progress(n)`` after each batch of ``n`` rows.
    Raises Conflict when the file has changed since it was checked, and as ``Series.send`` does.
    """
    reader = _Reader(job)
    place, done = 0, int(sent.last or 0)
    for rows in _batches(job.table.rows(), series.chunk_size()):
        if _stamp(job.table) != checked.stamp:
            raise Conflict(f"{job.table.name} was changed meanwhile. Start again.", code="changed")
        verdicts = checked.verdicts[place : place + len(rows)]
        place += len(rows)
        good = [
            reader.item(row)
            for row, verdict in zip(rows, verdicts, strict=True)
            if verdict == _GOOD and row.line > done
        ]
        items = [item["to"] if reader.is_plain else item
                 for item in good if not isinstance(item, RowError)]  # fmt: skip
        if items:
            last = rows[-1].line
            sent.send(items, job.options, last=last, budget_micros=checked.max_cost_micros)
        progress(len(rows))
