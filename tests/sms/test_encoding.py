"""The alphabets, character by character."""

from __future__ import annotations

import pytest
import smsutil  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from bulksms.sms.encoding import (
    GSM,
    GSM_BASIC,
    GSM_EXTENSION,
    Encoding,
    code_units,
    decode,
    encode,
    forcing_characters,
    is_basic,
    is_gsm7,
    is_sendable,
    septets,
    unsendable_characters,
)

any_text = st.text(st.characters(exclude_categories=[]))
gsm_text = st.text(st.sampled_from(sorted(GSM)))


def test_the_alphabet_has_127_characters_and_ten_more() -> None:
    assert (len(GSM_BASIC), len(GSM_EXTENSION)) == (127, 10)
    assert frozenset("€[]{}|^~\\\f") == GSM_EXTENSION
    assert not GSM_BASIC & GSM_EXTENSION


@pytest.mark.parametrize(
    ("char", "code"),
    [
        ("@", "00"),
        ("\n", "0a"),
        ("\r", "0d"),
        ("_", "11"),
        ("É", "1f"),
        (" ", "20"),
        ("¤", "24"),
        ("0", "30"),
        ("¡", "40"),
        ("A", "41"),
        ("Ä", "5b"),
        ("§", "5f"),
        ("¿", "60"),
        ("à", "7f"),
        ("\x0c", "1b0a"),
        ("^", "1b14"),
        ("{", "1b28"),
        ("}", "1b29"),
        ("\\", "1b2f"),
        ("€", "1b65"),
        ("[", "1b3c"),
        ("~", "1b3d"),
        ("]", "1b3e"),
        ("|", "1b40"),
    ],  # codes of 3GPP TS 23.038
)
def test_codes_of_the_standard(char: str, code: str) -> None:
    assert encode(char, "gsm7").hex() == code


def test_smsutil_has_the_same_alphabet_but_for_the_escape() -> None:
    every = [chr(point) for point in range(0x3000) if not 0xD800 <= point < 0xE000]
    theirs = {char for char in every if smsutil.is_valid_gsm(char)}
    assert theirs - {"\x1b"} == {char for char in every if is_gsm7(char)}


@given(gsm_text)
def test_gsm_text_is_encoded_as_smsutil_does_and_decoded_again(text: str) -> None:
    data = encode(text, "gsm7")
    assert data == smsutil.encode(text) if text else data == b""
    assert len(data) == septets(text)
    assert decode(data, "gsm7") == text


@given(st.text())
def test_ucs2_is_utf16_big_endian_without_a_mark(text: str) -> None:
    data = encode(text, "ucs2")
    assert len(data) == 2 * code_units(text)
    assert data.decode("utf-16-be") == text
    assert decode(data, "ucs2") == text
    assert encode("A", "ucs2") == b"\x00A"


@given(any_text)
def test_what_forces_ucs2_is_what_the_alphabet_has_not(text: str) -> None:
    forcing = forcing_characters(text)
    assert (forcing == ()) == is_gsm7(text)
    assert sum(count for _, count in forcing) == sum(char not in GSM for char in text)
    assert is_basic(text) == (set(text) <= GSM_BASIC)


def test_forcing_characters_come_in_order_of_appearance_with_their_counts() -> None:
    assert forcing_characters("It’s “so” nice… it’s 😀 €{}") == (
        ("’", 2),
        ("“", 1),
        ("”", 1),
        ("…", 1),
        ("😀", 1),
    )


@pytest.mark.parametrize("char", ["ç", "á", "`", "\t", "\xa0", "’", "\x1b", "\x00", "\x7f", "٣"])
def test_near_misses_of_the_alphabet(char: str) -> None:
    assert not is_gsm7(char)


def test_a_newline_at_the_end_hides_nothing() -> None:
    assert not is_gsm7("ç\n")
    assert not is_gsm7("a\u2028")
    assert is_gsm7("a\n")
    assert is_gsm7("")


def test_nul_and_lone_surrogates_cannot_be_sent() -> None:
    assert unsendable_characters("a\x00b\ud83d\x00") == (("\x00", 2), ("\ud83d", 1))
    assert unsendable_characters("😀 and \x1b\x07\uffff\ufffd can") == ()
    assert not is_sendable("a\x00")
    assert is_sendable("😀")


@given(any_text)
def test_what_can_be_sent_can_be_encoded(text: str) -> None:
    if not unsendable_characters(text):
        encoding: Encoding = "gsm7" if is_gsm7(text) else "ucs2"
        assert decode(encode(text, encoding), encoding) == text


@pytest.mark.parametrize(
    ("text", "encoding"), [("ç", "gsm7"), ("\x1b", "gsm7"), ("\ud83d", "ucs2")]
)
def test_what_the_encoding_cannot_write_is_refused(text: str, encoding: Encoding) -> None:
    with pytest.raises(ValueError, match=r"alphabet|surrogate"):
        encode(text, encoding)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"a\x1b", "gsm7"),
        (b"\x1ba", "gsm7"),
        (b"\x80", "gsm7"),
        (b"\x1b\x1b", "gsm7"),
        (b"\xd8=", "ucs2"),
        (b"\x00", "ucs2"),
    ],
)
def test_half_a_text_is_not_decoded(data: bytes, encoding: Encoding) -> None:
    with pytest.raises(ValueError, match=r"alphabet|surrogate|truncated|unexpected end"):
        decode(data, encoding)
