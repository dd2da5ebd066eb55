"""Miscounted, mangled, cut in two: what went wrong with texts elsewhere.
docs/explanation/failures.md says where each was seen."""

from __future__ import annotations

import csv
import io

import pytest

from bulksms import send_bulk
from bulksms.models import Message
from bulksms.sms.encoding import decode, encode
from bulksms.sms.segments import split
from bulksms.spreadsheet import neutral, plain
from tests.factories import make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

HANDSET = [
    ("a" * 152 + "€" + "a" * 152, 3),
    ("a" * 152 + "€" + "a" * 151, 2),
    ("á" * 66 + "😀" + "á" * 66, 3),
    ("{" * 80, 1),
    ("{" * 81, 2),
    ("ç" * 71, 2),
    ("Ç" * 160, 1),
]


@pytest.mark.parametrize(("text", "parts"), HANDSET, ids=[f"{t[0]!a}x{len(t)}" for t, _ in HANDSET])
def test_the_carrier_counts_the_parts_that_we_charged_for(
    carrier: FakeCarrier, text: str, parts: int
) -> None:
    send_bulk(recipients=["0712345678"], message=text, organisation=make_organisation())

    carrier.run()

    message = Message.objects.get()
    (record,) = carrier.transport.engine.oracle.records()
    assert message.units == record.parts == parts
    assert record.text == text


@pytest.mark.parametrize("text", ["á" * 135, "😀" * 67, "a" * 66 + "😀" * 40])
def test_every_part_of_a_unicode_text_has_whole_characters(text: str) -> None:
    parts = [encode(part, "ucs2") for part in split(text).parts]

    assert all(len(part) % 2 == 0 and len(part) <= 134 for part in parts)
    assert "".join(decode(part, "ucs2") for part in parts) == text


@pytest.mark.parametrize("number", ["+254712345678", "254712345678", "0712345678"])
def test_a_number_survives_a_spreadsheet(number: str) -> None:
    sheet = io.StringIO()
    csv.writer(sheet).writerow([neutral(number)])

    (cell,) = next(csv.reader(io.StringIO(sheet.getvalue())))

    assert plain(cell) == number


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(A1)", "\t=1", "'=1"])
def test_a_formula_in_a_text_is_neither_run_nor_lost(text: str) -> None:
    sheet = io.StringIO()
    csv.writer(sheet).writerow([neutral(text)])

    (cell,) = next(csv.reader(io.StringIO(sheet.getvalue())))

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert plain(cell) == text
