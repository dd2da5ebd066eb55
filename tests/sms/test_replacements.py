"""Look-alikes are replaced when asked, when it helps, and never silently."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulksms.sms.encoding import is_gsm7
from bulksms.sms.replacements import REPLACEMENTS, Change, replace
from bulksms.sms.segments import count

texts = st.one_of(
    st.text(st.sampled_from(["a", "b", "’", "“", "…", "\u200b", "€", "á", "😀"]), max_size=250),
    st.text(st.characters(exclude_categories=[])),
)


def test_one_curly_quote_in_a_long_text_saves_two_units_and_is_reported() -> None:
    text = "Don’t miss it. " + "a" * 140
    found = replace(text)
    assert found.text == "Don't miss it. " + "a" * 140
    assert found.changes == (Change("’", "'", 1),)
    assert (found.units_before, found.units_after, found.units_saved) == (3, 1, 2)


def test_the_report_names_each_character_once_in_order_with_its_count() -> None:
    found = replace("“A”\u00a0– “B”\u200b…")
    assert found.text == '"A" - "B"...'
    assert found.changes == (
        Change("“", '"', 2),
        Change("”", '"', 2),
        Change("\u00a0", " ", 1),
        Change("–", "-", 1),
        Change("\u200b", "", 1),
        Change("…", "...", 1),
    )
    assert [change.code_point for change in found.changes][4] == "U+200B"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("‘a’ ‚b‛ `c´", "'a' 'b' 'c'"),
        ("«a» „b“ 5″", '"a" "b" 5"'),
        ("1‐2‑3–4—5−6", "1-2-3-4-5-6"),
        ("a\tb\u2009c\u202fd\u3000e", "a b c d e"),
        ("a\u2028b\u2029c\x85d\x0be", "a\nb\nc\nd\ne"),
        ("\ufeffa\u00adb\u200c\u200d\u2060c\u200e", "abc"),
        ("ＳＡＬＥ　５０％！", "SALE 50%!"),
        ("1⁄2", "1/2"),
    ],
)
def test_look_alikes(text: str, plain: str) -> None:
    assert replace(text).text == plain


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "",
        "“quotes” beside á",  # a letter that needs UCS-2 anyway
        "“quotes” beside 😀",
        "👩\u200d👧 family",  # taken apart it would be another picture
        "ç á ñ ™ ½",
        "…" * 60,  # one UCS-2 part, but 180 septets
        "’\x00",
        "’\ud800",
    ],
)
def test_what_gains_nothing_is_left_as_it_is(text: str) -> None:
    found = replace(text)
    assert (found.text, found.changes, found.units_saved) == (text, (), 0)


@given(texts)
@example("…" * 60)
@example("’" * 80)
def test_never_dearer_never_silent_and_the_report_is_the_whole_truth(text: str) -> None:
    found = replace(text)
    assert found.units_before == count(text)[1]
    assert found.units_after == count(found.text)[1] <= found.units_before
    assert (found.changes == ()) == (found.text == text)
    again = text
    for change in found.changes:
        assert again.count(change.character) >= 1
        assert change.count == text.count(change.character)
        again = again.replace(change.character, change.replacement)
    assert again == found.text
    assert found.text == text or is_gsm7(found.text)
    assert replace(found.text).changes == ()


def test_replacements_are_gsm_and_no_letter_becomes_another() -> None:
    for char, plain in REPLACEMENTS.items():
        assert not is_gsm7(char)
        assert is_gsm7(plain)
        full_width = unicodedata.normalize("NFKC", char) == plain
        assert full_width or unicodedata.category(char) not in {"Lu", "Ll", "Lt", "Lo"}, char
