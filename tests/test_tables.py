"""CSV files as people make them: read where that is certain, explained where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulksms.tables import Table, TableError


def table(tmp_path: Path, content: bytes | str, **options: str) -> Table:
    path = tmp_path / "customers.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Table(path, name="customers.csv", **options)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_delimiter_is_what_the_first_line_has_most_of(tmp_path: Path, mark: str) -> None:
    found = table(tmp_path, f'"a,b;c"{mark}phone\nx{mark}0712\n')
    assert found.columns == ("a,b;c", "phone")
    assert [row.cells for row in found.rows()] == [["x", "0712"]]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    found = table(tmp_path, "phone\n0712345678\n")
    assert [row.cells for row in found.rows()] == [["0712345678"]]


def test_a_byte_order_mark_belongs_to_no_column(tmp_path: Path) -> None:
    assert table(tmp_path, b"\xef\xbb\xbfphone,name\n").columns == ("phone", "name")


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    found = table(tmp_path, 'phone,note\r\n1,"two\r\nlines"\r\n\r\n2,x\r\n')
    assert [(row.line, row.cells[0]) for row in found.rows()] == [(2, "1"), (5, "2")]


def test_a_table_is_gone_through_again(tmp_path: Path) -> None:
    found = table(tmp_path, "phone\n1\n2\n")
    assert list(found.rows()) == list(found.rows())
    assert found.digest() == table(tmp_path, "phone\n1\n2\n").digest()


def test_another_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    found = table(tmp_path, "phone,name\n1,José\n".encode("cp1252"), encoding="cp1252")
    assert [row.cells[1] for row in found.rows()] == ["José"]


def test_a_column_is_found_without_case_and_by_its_usual_names(tmp_path: Path) -> None:
    found = table(tmp_path, "Name,MSISDN\n")
    assert (found.find("name"), found.find_phone()) == (0, 1)


def test_a_placeholder_is_a_columns_name_or_its_name_as_a_word(tmp_path: Path) -> None:
    found = table(tmp_path, "phone,First name,Amount (KES),First_name\n")
    assert found.variables["First_name"] == 3
    assert found.variables["Amount_KES"] == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04whatever", 'spreadsheet, not CSV. Save it as "CSV UTF-8"'),
        (b"\xd0\xcf\x11\xe0\xa1", "spreadsheet, not CSV"),
        ("phone\n".encode("utf-16"), "UTF-16, not UTF-8"),
        (b"phone,name\n1,Ann\n2,Jos\xe9\n", "Line 3 .* not UTF-8 .byte 0xe9.*latin-1"),
        ("0712345678,Ann\n", "The first line is data"),
        ("phone,,name\n", "A column has no name"),
        ("phone,name,name\n", "Two columns are called name"),
        ('phone,name\n1,"Ann\n2,Bob\n', "Line 2 is no CSV"),
        ('phone,name\n1,"Ann"x\n', 'Line 2 is no CSV.*written twice'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_explained(
    tmp_path: Path, content: bytes | str, said: str
) -> None:  # fmt: skip
    with pytest.raises(TableError, match=said):
        list(table(tmp_path, content).rows())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("name,town\n", "No column is the one with the numbers.*There are: name, town"),
        ("phone,mobile\n", "Several columns may be"),
    ],
)
def test_which_column_has_the_numbers_is_never_guessed(
    tmp_path: Path, header: str, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        table(tmp_path, header).find_phone()


def test_an_unknown_column_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no column 'tel'\. There are: phone, name"):
        table(tmp_path, "phone,name\n").find("tel")
