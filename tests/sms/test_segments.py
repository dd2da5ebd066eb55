"""Parts and units: the borders of both alphabets, and what must stay whole on them."""

from __future__ import annotations

import time

import pytest
import smsutil  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulksms.sms.encoding import GSM, GSM_EXTENSION, code_units, decode, encode, is_gsm7, septets
from bulksms.sms.segments import Segmentation, count, split

VECTORS = [
    ("", "gsm7", 1),
    ("a" * 160, "gsm7", 1),
    ("a" * 161, "gsm7", 2),
    ("a" * 306, "gsm7", 2),
    ("a" * 307, "gsm7", 3),
    ("a" * 459, "gsm7", 3),
    ("a" * 460, "gsm7", 4),
    ("€" * 80, "gsm7", 1),
    ("€" * 81, "gsm7", 2),
    ("a" + "€" * 79 + "b", "gsm7", 1),
    ("a" + "€" * 79 + "bc", "gsm7", 2),  # 82 characters, but 161 septets
    ("é" * 160, "gsm7", 1),  # in the alphabet, though not in ASCII
    ("ç" * 70, "ucs2", 1),  # the alphabet has only the capital
    ("Ç" * 160, "gsm7", 1),
    ("á" * 70, "ucs2", 1),
    ("á" * 71, "ucs2", 2),
    ("á" * 134, "ucs2", 2),
    ("á" * 135, "ucs2", 3),
    ("😀" * 35, "ucs2", 1),
    ("😀" * 36, "ucs2", 2),
    ("😀" * 66, "ucs2", 2),  # 33 pairs in 67 places: the last place stays empty
    ("😀" * 67, "ucs2", 3),
    ("a" * 66 + "😀" + "a" * 66, "ucs2", 3),  # 134 units, but the pair is on the border
    ("a" * 69 + "’", "ucs2", 1),
    ("a" * 160 + "’", "ucs2", 3),
    ("a\t", "ucs2", 1),
    ("`", "ucs2", 1),
    ("\x1b", "ucs2", 1),  # the escape itself is no character
    ("{}[]~^\\|€\f" * 8, "gsm7", 1),
    ("\n\r" * 80, "gsm7", 1),
]
# Runs of one character, so that their ends meet the borders of parts.
gsm_runs = st.tuples(st.sampled_from(["a", "€", "{", "\n", "Ψ"]), st.integers(1, 170))
any_runs = st.tuples(st.sampled_from(["a", "€", "😀", "á", "\uffff"]), st.integers(1, 80))
texts = st.one_of(
    st.lists(gsm_runs, max_size=6).map(lambda runs: "".join(c * n for c, n in runs)),
    st.lists(any_runs, max_size=6).map(lambda runs: "".join(c * n for c, n in runs)),
    st.text(st.sampled_from(sorted(GSM)), max_size=400),
    st.text(max_size=200),
)
any_text = st.one_of(texts, st.text(st.characters(exclude_categories=[]), max_size=200))


@pytest.mark.parametrize(
    ("text", "encoding", "units"), VECTORS, ids=[f"{t[:1]!a}x{len(t)}" for t, _, _ in VECTORS]
)
def test_units_of(text: str, encoding: str, units: int) -> None:
    found = split(text)
    assert (found.encoding, found.units) == (encoding, units)
    assert count(text) == (encoding, units)


def test_a_euro_on_the_border_moves_to_the_next_part_and_can_cost_a_third() -> None:
    text = "a" * 152 + "€" + "b" * 152  # 305 characters, 306 septets: two parts if split blindly
    assert split(text).parts == ("a" * 152, "€" + "b" * 151, "b")


def test_an_escape_on_the_border_is_not_parted_from_its_code() -> None:
    for char in GSM_EXTENSION:
        first, second = split("a" * 152 + char + "b" * 20).parts
        assert (first, second) == ("a" * 152, char + "b" * 20)


def test_an_emoji_on_the_border_stays_whole() -> None:
    first, second = split("á" * 66 + "😀" + "á" * 10).parts
    assert (first, second) == ("á" * 66, "😀" + "á" * 10)


def test_parts_are_filled_when_nothing_has_to_stay_whole() -> None:
    assert [len(part) for part in split("a" * 400).parts] == [153, 153, 94]
    assert [len(part) for part in split("á" * 200).parts] == [67, 67, 66]


def test_an_empty_text_is_one_part_because_nothing_is_free() -> None:
    assert split("") == Segmentation("gsm7", 1, ("",))


@given(texts)
@example("a" * 152 + "€" * 77)
@example("á" * 66 + "😀" * 34)
def test_every_part_decodes_alone_and_the_parts_are_the_text(text: str) -> None:
    found = split(text)
    assert "".join(found.parts) == text
    for part in found.parts:
        assert decode(encode(part, found.encoding), found.encoding) == part


@given(texts)
@example("€" * 80)
@example("😀" * 35)
def test_no_part_has_more_than_its_room_and_no_room_is_wasted(text: str) -> None:
    found = split(text)
    width = septets if found.encoding == "gsm7" else code_units
    single, room = (160, 153) if found.encoding == "gsm7" else (70, 67)
    assert all(width(part) <= (single if found.units == 1 else room) for part in found.parts)
    for part, following in zip(found.parts, found.parts[1:], strict=False):
        assert width(part + following[0]) > room
    assert (found.units == 1) == (width(text) <= single)


@given(any_text)
@example("a" * 160)
@example("a" * 161)
@example("€" * 153)
@example("\ud83d" * 71)
@example("\x00" * 71)
def test_counting_agrees_with_splitting(text: str) -> None:
    found = split(text)
    assert count(text) == (found.encoding, found.units) == (found.encoding, len(found.parts))


@given(any_text)
def test_lone_surrogates_and_nul_are_counted_and_not_lost(text: str) -> None:
    assert "".join(split(text).parts) == text


@settings(max_examples=250)
@given(texts.filter(bool).filter(lambda text: "\x1b" not in text))  # smsutil sends a bare escape
@example("a" * 152 + "€" + "b" * 152)
@example("😀" * 36)
def test_smsutil_makes_the_same_parts(text: str) -> None:
    theirs = smsutil.split(text)
    ours = split(text)
    assert [part.content for part in theirs.parts] == list(ours.parts)
    assert (theirs.encoding == "gsm0338") == (ours.encoding == "gsm7")


@given(st.lists(texts, min_size=1, max_size=5))
def test_text_put_together_never_takes_fewer_units_than_its_longest_piece(
    pieces: list[str],
) -> None:
    whole = "".join(pieces)
    same_alphabet = [piece for piece in pieces if is_gsm7(piece) == is_gsm7(whole)]
    assert all(count(piece)[1] <= count(whole)[1] for piece in same_alphabet)


def test_counting_ten_thousand_short_texts_is_quick() -> None:
    batch = [f"Dear customer {i}, your parcel is at our Moi Avenue office." for i in range(10_000)]
    best = min(_seconds(batch) for _ in range(5))
    assert best < 0.1, f"{best * 1000:.0f} ms; about 10 ms are normal"


def _seconds(batch: list[str]) -> float:
    start = time.process_time()
    units = [count(text)[1] for text in batch]
    spent = time.process_time() - start
    assert sum(units) == len(batch)
    return spent


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a€" * 5 * 10**5, "a😀" * 5 * 10**5, "\ud800" * 10**6]
)
def test_a_megabyte_is_split_in_one_pass(text: str) -> None:
    start = time.process_time()
    found = split(text)
    assert "".join(found.parts) == text
    assert count(text)[1] == found.units > 6_000
    assert time.process_time() - start < 10  # about 1 s; a quadratic way takes hours
