"""A table in a CSV file as people make them, read as a stream: its columns, its rows, their lines.

What looks wrong is an error that says what to do about it; nothing is guessed but the delimiter.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

DELIMITERS = ",;\t"
UTF8 = "utf-8-sig"
#: What the columns with numbers are called, if nobody says.
PHONE_COLUMNS = ("phone", "to", "number", "mobile", "recipient", "msisdn", "phone_number")

_ZIP, _OLD_EXCEL, _UTF16 = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS = 'Save it as "CSV UTF-8" (in LibreOffice: Text CSV, character set UTF-8) and send that.'
_NOT_A_NAME = re.compile(r"\W+")


class TableError(ValueError):
    """This file cannot be read as a table; the message says why and what to do."""


class Row(NamedTuple):
    """One row: the line that it begins on (from 1), its cells without surrounding white space."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """The file at ``path``, whose first line names the columns. It may be gone through again."""

    path: Path
    encoding: str = UTF8
    delimiter: str = ""
    #: What people call it, for messages.
    name: str = field(default="the file")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Raises TableError."""
        self._check_kind()
        for row in self._read():
            return _checked(row.cells)
        raise TableError(f"{self.name} is empty; its first line must name the columns.")

    def rows(self) -> Iterator[Row]:
        """The rows below the first, empty lines left out. Raises TableError."""
        assert self.columns
        found = self._read()
        next(found)
        yield from found

    def digest(self) -> str:
        """SHA-256 of what is in it."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def find(self, wanted: str) -> int:
        """The place of a column, by its name as it is or without case. Raises TableError."""
        lower = [column.lower() for column in self.columns]
        if wanted.lower() in lower:
            return lower.index(wanted.lower())
        raise TableError(f"There is no column {wanted!r}. There are: {', '.join(self.columns)}.")

    def find_phone(self) -> int:
        """The place of the column with the numbers, by its usual names. Raises TableError."""
        lower = [column.lower() for column in self.columns]
        places = [lower.index(name) for name in PHONE_COLUMNS if name in lower]
        if len(places) == 1:
            return places[0]
        fault = "Several columns may be" if places else "No column is"
        raise TableError(
            f"{fault} the one with the numbers; say which. There are: {', '.join(self.columns)}."
        )

    @cached_property
    def variables(self) -> dict[str, int]:
        """Placeholder -> place of its column: its name, and its name as a word: First_name."""
        found = {name: place for place, name in enumerate(self.columns)}
        for place, name in enumerate(self.columns):
            found.setdefault(_NOT_A_NAME.sub("_", name).strip("_"), place)
        return found

    # Bytes

    def _check_kind(self) -> None:
        with self.path.open("rb") as file:
            head = file.read(4)
        if head in (_ZIP, _OLD_EXCEL):
            raise TableError(f"{self.name} is a spreadsheet, not CSV. {_SAVE_AS}")
        if head[:2] in _UTF16 and self.encoding == UTF8:
            raise TableError(f"{self.name} is UTF-16, not UTF-8. {_SAVE_AS} Or say utf-16.")

    def _read(self) -> Iterator[Row]:
        line = 0
        with self.path.open(encoding=self.encoding, newline="") as file:
            try:
                first = file.readline()
                file.seek(0)
                reader = csv.reader(file, delimiter=self.delimiter or _sniff(first), strict=True)
                for cells in reader:
                    start, line = line + 1, reader.line_num
                    bare = [cell.strip() for cell in cells]
                    if any(bare):
                        yield Row(start, bare)
            except UnicodeDecodeError as error:
                raise TableError(self._undecodable(error)) from error
            except csv.Error as error:
                raise TableError(f"Line {line + 1} is no CSV: {error}. {_QUOTES}") from error

    def _undecodable(self, error: UnicodeDecodeError) -> str:
        byte, encoding = error.object[error.start], self.encoding
        encoding = "UTF-8" if encoding == UTF8 else encoding
        return (
            f"Line {self._first_bad_line()} of {self.name} is not {encoding} (byte {byte:#x})."
            f" It may be latin-1 or cp1252: say so as encoding, or better: {_SAVE_AS}"
        )

    def _first_bad_line(self) -> int:
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    raw.decode(self.encoding)
                except UnicodeDecodeError:
                    return number
        return 0


_QUOTES = 'A quotation mark inside a quoted cell is written twice (""), and each is closed.'


def _sniff(header: str) -> str:
    """The delimiter that the first line has most of, outside of quotes; a comma if none."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=lambda mark: (bare.count(mark), -DELIMITERS.index(mark)))


def _checked(names: list[str]) -> tuple[str, ...]:
    """The names of the columns. Raises TableError."""
    if any(re.fullmatch(r"\+?[\d\s-]{7,}", name) for name in names):
        raise TableError("The first line is data; it must name the columns, e.g. phone,name.")
    if not all(names):
        raise TableError("A column has no name in the first line.")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TableError(f"Two columns are called {min(twice)}. Give each a name of its own.")
    return tuple(names)
