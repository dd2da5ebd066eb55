"""What people write, what it is read as, and why the rest is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulksms.sms.numbers import (
    SENTENCES,
    Number,
    Refusal,
    mask,
    normalise,
    normalise_by_library,
    normalise_many,
)

READ = [
    # Kenya: the six written forms, and the ranges of all operators
    ("KE", "+254712345678", "254712345678", "KE"),
    ("KE", "254712345678", "254712345678", "KE"),
    ("KE", "0712345678", "254712345678", "KE"),
    ("KE", "712345678", "254712345678", "KE"),
    ("KE", "+254 712 345 678", "254712345678", "KE"),
    ("KE", "(0712) 345-678", "254712345678", "KE"),
    ("KE", "0110345678", "254110345678", "KE"),
    ("KE", "0100345678", "254100345678", "KE"),
    ("KE", "0733345678", "254733345678", "KE"),
    ("KE", "0772345678", "254772345678", "KE"),
    # other writing
    ("KE", "+254-712-345-678", "254712345678", "KE"),
    ("KE", "+254.712.345.678", "254712345678", "KE"),
    ("KE", "(+254) 712 345 678", "254712345678", "KE"),
    ("KE", "+(254)712345678", "254712345678", "KE"),
    ("KE", "+254 (0) 712 345 678", "254712345678", "KE"),
    ("KE", "+2540712345678", "254712345678", "KE"),
    ("KE", "0712\u2011345\u2013678", "254712345678", "KE"),
    ("KE", "0712\u00a0345\u2009678", "254712345678", "KE"),
    ("KE", "000254712345678", "254712345678", "KE"),  # Kenya's own international prefix is 000
    # ends, and what phones paste
    ("KE", "0712345678\r\n", "254712345678", "KE"),
    ("KE", "  0712345678\t", "254712345678", "KE"),
    ("KE", "\ufeff0712345678", "254712345678", "KE"),
    ("KE", "\u202a+254 712 345678\u202c", "254712345678", "KE"),
    ("KE", "\u202d0712345678\u202c ", "254712345678", "KE"),
    ("KE", " \u20680712\u200b345678\u2069 ", "254712345678", "KE"),
    # digits of other scripts
    ("KE", "٠٧١٢٣٤٥٦٧٨", "254712345678", "KE"),
    ("KE", "＋２５４７１２３４５６７８", "254712345678", "KE"),
    ("KE", "०७१२ ३४५ ६७८", "254712345678", "KE"),
    # neighbours, read from Kenya and at home
    ("KE", "+256772123456", "256772123456", "UG"),
    ("KE", "256772123456", "256772123456", "UG"),
    ("KE", "255754 123 456", "255754123456", "TZ"),
    ("UG", "0772123456", "256772123456", "UG"),
    ("UG", "772123456", "256772123456", "UG"),
    ("UG", "000254712345678", "254712345678", "KE"),
    ("TZ", "0754123456", "255754123456", "TZ"),
    ("TZ", "0621 234 567", "255621234567", "TZ"),
    ("TZ", "254712345678", "254712345678", "KE"),
    # the default region's reading comes first: 0712345678 is a number in both
    ("UG", "0712345678", "256712345678", "UG"),
    ("UG", "712345678", "256712345678", "UG"),
    # plans of other kinds
    ("CI", "07 01 23 45 67", "2250701234567", "CI"),  # the zero is part of the number
    ("US", "(202) 555-0123", "12025550123", "US"),
    ("US", "1 202 555 0123", "12025550123", "US"),
    ("CA", "+1 506 234 5678", "15062345678", "CA"),
    ("GB", "07400 123456", "447400123456", "GB"),
    ("GB", "0044 7400 123456", "447400123456", "GB"),
    ("GB", "00254712345678", "254712345678", "KE"),
    ("IT", "312 345 6789", "393123456789", "IT"),
    ("AR", "11 15 2345 6789", "5491123456789", "AR"),
    ("KE", "+8816 1234 5678", "881612345678", "001"),
]

REFUSED = [
    ("KE", "", "empty", ""),
    ("KE", " \u200b\n", "empty", ""),
    ("KE", "5", "too_short", ""),
    ("KE", "+1", "too_short", ""),
    ("KE", "071234567", "too_short", ""),
    ("KE", "0712345", "too_short", ""),  # long enough for a landline, which is no excuse
    ("KE", "+25471234567", "too_short", ""),
    ("KE", "+25677212345", "too_short", ""),
    ("US", "555-0123", "too_short", ""),  # can be dialled at home, without its area code
    ("KE", "07123456789", "too_long", ""),
    ("KE", "+2547123456789", "too_long", ""),
    ("KE", "1" * 40, "too_long", ""),
    ("KE", "0312345678", "not_valid", ""),
    ("KE", "+254812345678", "not_valid", ""),
    ("UG", "0681234567", "not_valid", ""),
    ("KE", "020 201 2345", "landline", ""),
    ("KE", "+254202012345", "landline", ""),
    ("KE", "256312345678", "landline", ""),  # Uganda's: valid, so it is what was meant
    ("TZ", "0222345678", "landline", ""),
    ("KE", "0900223456", "premium_rate", ""),
    ("KE", "0800223456", "toll_free", ""),
    ("TZ", "0840123456", "shared_cost", ""),
    ("TZ", "0412345678", "voip", ""),
    ("GB", "07012345678", "personal_number", ""),
    ("GB", "07640123456", "pager", ""),
    ("GB", "05512345678", "company_number", ""),
    ("IT", "33101234501", "voicemail", ""),
    ("KE", "22141", "short_code", ""),
    ("KE", "40404", "short_code", ""),
    ("KE", "+25422141", "too_short", ""),  # nobody writes a short code like this
    ("KE", "0100", "too_short", ""),
    ("KE", "+999123456789", "unknown_country_code", ""),
    ("KE", "+0712345678", "unknown_country_code", ""),
    ("KE", "00254712345678", "too_long", "write +254..."),
    ("KE", "0254712345678", "too_long", "write +254..."),
    ("KE", "02547123456780722345678", "too_long", "write +254..."),  # of no country at all
    ("KE", "+00254712345678", "unknown_country_code", "write +254..."),
    ("KE", "00256772123456", "too_long", "write + and the country code"),
    ("GB", "+00254712345678", "unknown_country_code", "write + and the country code"),
    ("GB", "0441234", "too_short", ""),  # local, though it starts like 0 and the country code
    ("KE", "2.54712E+11", "invalid_characters", "spreadsheet number"),
    ("KE", "2,54712e11", "invalid_characters", "spreadsheet number"),
    ("KE", "254712345678.0", "invalid_characters", "spreadsheet number"),
    ("KE", "71234567.0", "invalid_characters", "spreadsheet number"),  # not 712345670
    ("KE", "712345678.", "invalid_characters", "spreadsheet number"),
    ("KE", "0712345678/0722345678", "invalid_characters", "one number for each recipient"),
    ("KE", "071234567/8", "invalid_characters", "one number for each recipient"),
    ("KE", "0712345678, 0722345678", "invalid_characters", "one number for each recipient"),
    ("KE", "0712345678\n0722345678", "invalid_characters", "one number for each recipient"),
    ("KE", "0712345678 " * 10, "too_long", "one number for each recipient"),
    # phonenumbers would find a number in each of these; we do not guess
    ("KE", "Tel: 0712345678", "invalid_characters", ""),
    ("KE", "tel:+254712345678", "invalid_characters", ""),
    ("KE", "0712345678 ext 5", "invalid_characters", ""),
    ("KE", "0712345678x5", "invalid_characters", ""),
    ("KE", "0712345678#", "invalid_characters", ""),
    ("KE", "0712FLOWER", "invalid_characters", ""),
    ("KE", "++254712345678", "invalid_characters", ""),
    ("KE", "254+712345678", "invalid_characters", ""),
    ("KE", "-0712345678", "invalid_characters", ""),
    ("KE", "0712345678-", "invalid_characters", ""),
    ("KE", "'0712345678", "invalid_characters", ""),
    ("KE", "0712)345678", "invalid_characters", ""),
    ("KE", "0712(345678", "invalid_characters", ""),
    ("KE", "0712()345678", "invalid_characters", ""),
    ("KE", "((0712))345678", "invalid_characters", ""),
    ("KE", "0712\t345678", "invalid_characters", ""),
    ("KE", "0712~345678", "invalid_characters", ""),
    ("KE", "\u202e8765432170", "invalid_characters", ""),  # shown as 0712345678
    ("KE", "0712345678\x00", "invalid_characters", ""),
    ("KE", "\ud8000712345678", "invalid_characters", ""),
    ("KE", "+", "invalid_characters", ""),
    ("KE", "()", "invalid_characters", ""),
    ("KE", "not a number", "invalid_characters", ""),
]

NOT_TEXT: list[tuple[object, str, str]] = [
    (254712345678, "spreadsheet number", "254712345678"),
    (254712345678.0, "spreadsheet number", "254712345678.0"),
    (Decimal("254712345678"), "spreadsheet number", "254712345678"),
    (math.nan, "spreadsheet number", "nan"),
    (True, "write the number as text", "(bool)"),
    (None, "write the number as text", "(NoneType)"),
    (["0712345678"], "write the number as text", "(list)"),
    ({"to": "0712345678"}, "write the number as text", "(dict)"),
    (b"0712345678", "write the number as text", "(bytes)"),
]
junk = st.one_of(
    st.text(st.characters(exclude_categories=[])),
    st.text("+0123456789 -().\u202a\u0660\uff11", max_size=70),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.binary(),
    st.lists(st.integers()),
)


@pytest.mark.parametrize(("region", "raw", "e164", "home"), READ, ids=ascii)
def test_it_is_read_as(region: str, raw: str, e164: str, home: str) -> None:
    assert normalise(raw, region) == Number(e164, home, raw)
    assert normalise_by_library(raw, region) == Number(e164, home, raw)


@pytest.mark.parametrize(("region", "raw", "reason", "hint"), REFUSED, ids=ascii)
def test_it_is_refused_with_a_reason(region: str, raw: str, reason: str, hint: str) -> None:
    answer = normalise(raw, region)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.hint) == (reason, hint)


@pytest.mark.parametrize(("raw", "hint", "shown"), NOT_TEXT, ids=ascii)
def test_what_is_not_text_is_refused_and_told_how(raw: object, hint: str, shown: str) -> None:
    assert normalise(raw, "KE") == Refusal("not_text", hint, shown, "KE")


def test_a_number_too_long_for_python_to_print_is_refused_too() -> None:
    answer = normalise(10**5000, "KE")
    assert answer == Refusal("not_text", "spreadsheet number", "(a very long number)", "KE")


def test_a_refusal_names_the_country_whose_plan_was_asked() -> None:
    assert normalise("07123456789", "KE") == Refusal("too_long", "", "07123456789", "KE")
    assert normalise("+25677212345", "KE") == Refusal("too_short", "", "+25677212345", "UG")


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (" ", Refusal("empty", "", " ", "KE")),
        ("0712FLOWER", Refusal("invalid_characters", "", "0712FLOWER", "KE")),
        (" 020 201 2345", Refusal("landline", "", " 020 201 2345", "KE")),
        ("+256312345678", Refusal("landline", "", "+256312345678", "UG")),
        ("5", Refusal("too_short", "", "5", "KE")),
        ("+447400", Refusal("too_short", "", "+447400", "GB")),  # four regions share the code
        ("+999123456789", Refusal("unknown_country_code", "", "+999123456789", "")),
        ("7" * 65, Refusal("too_long", "one number for each recipient", "7" * 63 + "…", "KE")),
    ],
)
def test_a_refusal_has_what_was_written_and_the_plan_that_was_asked(
    raw: str, refusal: Refusal
) -> None:
    assert normalise(raw, "KE") == refusal


def test_sixty_four_characters_are_read_and_one_more_is_not() -> None:
    assert isinstance(normalise("0712345678".ljust(64), "KE"), Number)
    assert isinstance(normalise_by_library("0712345678".ljust(64), "KE"), Number)
    assert isinstance(normalise("0712345678".ljust(65), "KE"), Refusal)


@pytest.mark.parametrize(
    ("refusal", "detail"),
    [
        (Refusal("too_short", "", "07", "KE"), "Too short for a mobile number of KE."),
        (Refusal("not_valid", "", "06", "KE"), "Not valid for KE."),
        (Refusal("too_short", "", "+1"), "Too short for a mobile number of its country."),
        (
            Refusal("too_long", "write +254...", "00254", "KE"),
            "Too long for a mobile number of KE. Hint: write +254.",
        ),
        (
            Refusal("not_text", "spreadsheet number", "254712345678", "KE"),
            "The recipient is not text. It looks like a spreadsheet number: make the cell text.",
        ),
    ],
)
def test_the_sentence_for_people(refusal: Refusal, detail: str) -> None:
    assert refusal.detail == detail


def test_every_reason_has_a_sentence_and_every_sentence_a_reason() -> None:
    answers = [normalise(raw, region) for region, raw, _, _ in REFUSED]
    answers += [normalise(raw, "KE") for raw, _, _ in NOT_TEXT]
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == set(SENTENCES)


def test_what_was_written_is_echoed_short_and_storable() -> None:
    answer = normalise("0712\x00\ud800" + "x" * 10**6, "KE")
    assert answer.input == "0712\ufffd\ufffd" + "x" * 57 + "…"


def test_a_million_characters_are_refused_unread() -> None:
    """As cheap as a short one: the library would be asked 10,000 times in this."""

    class Unread(str):
        def translate(self, table: object) -> str:
            raise AssertionError("a very long text is not looked through")

        strip = translate  # type: ignore[assignment]

    answers = normalise_many([Unread("0712345678 " * 10**5)] * 100, "KE")
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"too_long"}


def test_many_come_back_in_their_order_from_any_iterable() -> None:
    def some() -> Iterator[object]:
        yield from ["0712345678", 5, "0712345678", "020 2012345", "+256772123456"]

    answers = normalise_many(some(), "KE")
    assert answers == [normalise(raw, "KE") for raw in some()]
    assert [isinstance(answer, Number) for answer in answers] == [True, False, True, False, True]


@pytest.mark.parametrize(
    "region", ["", "XX", "ke", "KEN", "001", "254", "\x00", "\ud800"], ids=ascii
)
def test_an_unknown_region_is_the_callers_mistake(region: str) -> None:
    for function in (normalise, normalise_by_library):
        with pytest.raises(ValueError, match="region"):
            function("+254712345678", region)
    with pytest.raises(ValueError, match="region"):
        normalise_many([], region)


@given(junk, st.sampled_from(["KE", "UG", "US", "AR", "IT"]))
@example("+" + "9" * 63, "KE")
@example("(" * 64, "KE")
@example("1-" * 32, "KE")
@example("٠" * 64, "KE")
def test_anything_at_all_gets_an_answer_that_can_be_stored(raw: object, region: str) -> None:
    answer = normalise(raw, region)
    assert len(answer.input) <= 64
    answer.input.encode()
    assert "\x00" not in answer.input
    if isinstance(answer, Refusal):
        assert answer.detail.endswith(".")
    else:
        assert answer.e164.isascii()
        assert answer.e164.isdigit()
        assert normalise("+" + answer.e164, region) == Number(
            answer.e164, answer.region, "+" + answer.e164
        )


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("254712345678", "+2547••••678"),
        ("+254712345678", "+2547••••678"),
        ("29012345", "+2••••345"),
        ("1234567", "+••••567"),
        ("123456", "••••"),
        ("", "••••"),
        ("not a number", "••••"),
        ("٠٧١٢٣٤٥٦٧٨", "••••"),
        ("+254 712 345 678", "••••"),
    ],
)
def test_masked_for_logs(number: str, masked: str) -> None:
    assert mask(number) == masked


@given(st.text("0123456789", max_size=15))
def test_a_mask_hides_four_digits_at_least(number: str) -> None:
    assert sum(char.isdigit() for char in mask(number)) <= max(0, len(number) - 4)
