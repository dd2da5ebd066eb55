"""Micros in, micros out, and never a rounded one."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulksms import money

micros = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", 1_000_000),
        ("0.80", 800_000),
        ("0.805", 805_000),
        ("-3.2", -3_200_000),
        ("+3.2", 3_200_000),
        ("0.000001", 1),
        (" 1250.00\n", 1_250_000_000),
        ("1250.00" + " " * 92, 1_250_000_000),
        ("007", 7_000_000),
        ("1.00000000", 1_000_000),
        ("-0", 0),
        ("9223372036854.775807", 2**63 - 1),
        (Decimal("0.80"), 800_000),
        (Decimal("1E+3"), 1_000_000_000),
        (Decimal("0E-999999"), 0),
        (Decimal("0E+999999"), 0),
        (Decimal("0.8") * Decimal("1.0000000"), 800_000),
    ],
)
def test_amounts_that_are_read(value: Decimal | str, expected: int) -> None:
    assert money.parse(value) == expected


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("0.0000001", "six decimals"),
        ("1.0000005", "six decimals"),
        (Decimal("0.0000001"), "six decimals"),
        (Decimal("1E-999999"), "six decimals"),
        (Decimal("0." + "1" * 50), "six decimals"),
        ("NaN", "plain digits"),
        ("Infinity", "plain digits"),
        (Decimal("NaN"), "finite"),
        (Decimal("sNaN"), "finite"),
        (Decimal("-Infinity"), "finite"),
        ("", "plain digits"),
        ("1e3", "plain digits"),
        ("1_000", "plain digits"),
        ("1,000.00", "plain digits"),
        ("1.", "plain digits"),
        (".5", "plain digits"),
        ("--1", "plain digits"),
        ("1 0", "plain digits"),
        ("١", "plain digits"),
        ("1\x00", "plain digits"),
        ("\ud800", "plain digits"),
        ("1" * 10**6, "plain digits"),
        ("1250.00" + " " * 93, "plain digits"),  # 100 characters: not even looked at
        ("9223372036854.775808", "too large"),
        (Decimal("1E+999999"), "too large"),
        (0.8, "float"),
        (5, "int"),
        (True, "bool"),
        (None, "NoneType"),
    ],
)
def test_amounts_that_are_refused_and_the_sentence_says_why(value: Decimal, word: str) -> None:
    with pytest.raises(money.MoneyError, match=word):
        money.parse(value)


@pytest.mark.parametrize(
    ("value", "amount", "number"),
    [
        (0, "0.00", "0.0"),
        (1_000_000, "1.00", "1.0"),
        (805_000, "0.805", "0.805"),
        (-3_200_000, "-3.20", "-3.2"),
        (600_000, "0.60", "0.6"),
        (3_000_000, "3.00", "3.0"),
        (1, "0.000001", "0.000001"),
        (-1, "-0.000001", "-0.000001"),
        (1_234_567_890_000, "1234567.89", "1234567.89"),
        (2**63 - 1, "9223372036854.775807", "9223372036854.775807"),
    ],
)
def test_written_amounts(value: int, amount: str, number: str) -> None:
    assert money.amount(value) == amount
    assert money.json_number(value) == number
    assert money.sentence(value, "KES") == f"KES {amount}"


@given(micros)
@example(-1)
@example(10)
def test_what_is_written_reads_back_to_the_micro(value: int) -> None:
    assert money.parse(money.amount(value)) == value
    assert money.parse(json.loads(money.json_number(value), parse_float=Decimal)) == value
    assert money.parse(Decimal(value).scaleb(-6)) == value


@given(micros)
def test_sentences_have_two_decimals_or_all_significant_ones(value: int) -> None:
    decimals = money.amount(value).split(".")[1]
    assert 2 <= len(decimals) <= 6
    assert len(decimals) == 2 or decimals[-1] != "0"


@given(st.one_of(st.text(max_size=20), st.text("0123456789.,+-eE_ ", max_size=20)))
def test_any_other_text_is_refused_with_our_own_error(text: str) -> None:
    try:
        value = money.parse(text)
    except money.MoneyError:
        return
    assert Decimal(text.strip()) * 1_000_000 == value
