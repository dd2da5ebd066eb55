"""The shape of sender ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulksms.sms.encoding import is_gsm7
from bulksms.sms.senders import check, fold


@pytest.mark.parametrize(
    "name",
    [
        *["A", "MyShop", "MY SHOP 24", "ABCDEFGHIJK", "1st-Bank", "Café", "Ünal", "A&B", "€urope"],
        *["Ψ", "123", "22141", "254712345678", "123456789012345"],
    ],
)
def test_these_can_be_sender_ids(name: str) -> None:
    assert check(name) is None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "empty"),
        ("ABCDEFGHIJKL", "at most 11"),
        ("ABCDEFGHIJ€", "at most 11"),  # 11 characters, but 12 septets
        (" Shop", "space"),
        ("Shop ", "space"),
        ("My\nShop", "printable"),
        ("My\fShop", "printable"),
        ("Shop\r", "printable"),
        ("Shop\x00", "printable"),
        ("Shop\ud800", "printable"),
        ("Sh\u00a0op", "printable"),
        ("Магазин", "printable"),
        ("Shop™", "printable"),
        ("12", "3 to 15"),
        ("1234567890123456", "3 to 15"),
        ("12-34", "letter"),
        ("+254700", "letter"),
        ("١٢٣٤", "printable"),
        ("A" * 10**6, "at most 11"),
        (22141, "text"),
        (None, "text"),
        (True, "text"),
        (b"Shop", "text"),
    ],
)
def test_these_cannot_and_the_sentence_says_why(name: object, word: str) -> None:
    sentence = check(name)
    assert sentence is not None
    assert word in sentence
    assert sentence.endswith(".")


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_what_passes_is_what_the_rule_says(name: str) -> None:
    digits = all(char in "0123456789" for char in name) and 3 <= len(name) <= 15
    room = sum(2 if char in "\f^{}\\[~]|€" else 1 for char in name)
    printable = is_gsm7(name) and not set(name) & set("\n\r\f")
    worded = any(char.isalpha() for char in name) and name == name.strip(" ")
    assert (check(name) is None) == (digits or (1 <= room <= 11 and printable and worded))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("MyShop", "MYSHOP", True),
        ("café", "CAFÉ", True),
        ("ΟΔΟΣ", "οδοσ", True),
        ("ΟΔΟΣ A", "οδος a", True),
        ("Straße", "STRASSE", False),
        ("Shop", "Shop ", False),
        ("Shop1", "Shop2", False),
    ],
)
def test_folding(one: str, other: str, same: bool) -> None:
    assert (fold(one) == fold(other)) == same


@given(st.text(st.characters(exclude_categories=[])))
def test_folding_twice_changes_nothing_more(name: str) -> None:
    assert fold(fold(name)) == fold(name)
