"""The engine's smaller parts: counts, buckets, draws, SMS parts, magic numbers."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import magic
from simulator.engine import Engine, EngineSettings, Submission, counts, draws
from simulator.engine.counts import DigestTable, TableFull
from simulator.engine.limits import Bucket
from simulator.engine.parts import count_parts
from simulator.schema import parse_rules
from simulator.schema.files import magic_rules

# --- counts ----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1)), max_size=200))
@settings(max_examples=50, deadline=None)
def test_a_digest_table_is_a_dict_in_all_its_sizes(pairs: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "_SMALL", 8)
        patch.setattr(counts, "_FIRST_FLAT_BITS", 4)
        table, expected = DigestTable(1_000), dict[int, int]()
        for digest, value in pairs:
            table.put(digest, value)
            expected[digest] = value

        assert len(table) == len(expected)
        assert all(table.get(digest) == value for digest, value in expected.items())
        assert table.get(12345) == expected.get(12345, 0)


@pytest.mark.parametrize("small", [3, 10])
def test_a_full_table_says_so_and_still_knows_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(counts, "_SMALL", small)
    table = DigestTable(5)
    for digest in range(1, 6):
        table.put(digest, digest)

    with pytest.raises(TableFull, match="--max-refs"):
        table.put(6, 6)
    table.put(5, 50)
    assert (table.get(5), table.room()) == (50, 0)


def test_an_engine_that_is_full_refuses_loudly_and_takes_nothing_of_the_request() -> None:
    engine = Engine(EngineSettings(max_refs=3))
    batch = [Submission(f"r{i}", f"25471100000{i}", "SHOP", "x") for i in range(4)]

    refusal = engine.submit(batch, 0).refusal
    taken = engine.submit(batch[:3], 0)

    assert refusal is not None
    assert (refusal.status, refusal.code) == (507, "simulator_full")
    assert [row.status for row in taken.rows] == ["accepted"] * 3


def test_records_leave_the_ring_and_counts_do_not() -> None:
    engine = Engine(EngineSettings(keep=10))
    for index in range(30):
        engine.submit([Submission(f"r{index}", "254711000001", "SHOP", str(index))], 0)
    engine.submit([Submission("r0", "254711000001", "SHOP", "0")], 0)

    assert len(engine.oracle.records()) == 10
    assert engine.oracle.records(client_ref="r5") == []
    assert engine.oracle.accepted_count("r5") == 1
    assert engine.oracle.duplicates() == (1, 1)
    assert [row.status for row in engine.query(["r5", "never"], 0).rows] == ["accepted"]


def test_a_reference_used_with_another_text_is_a_duplicate_reference_but_a_new_message() -> None:
    engine = Engine()
    for text in ("one", "two"):
        engine.submit([Submission("r", "254711000001", "SHOP", text)], 0)

    assert engine.oracle.duplicates() == (1, 0)
    assert [(r.occurrence, r.try_number) for r in engine.oracle.records()] == [(0, 0), (0, 0)]


# --- buckets ---------------------------------------------------------------------------------


def test_a_bucket_waits_exactly_as_long_as_it_says() -> None:
    bucket = Bucket(10, 3_000_000)
    bucket.add(10, 0)
    wait_us = bucket.wait_us(4, 0)

    assert wait_us == 1_333_334
    assert not bucket.fits(4, wait_us - 1)
    assert bucket.fits(4, wait_us)
    assert bucket.wait_us(11, 0) is None


def test_time_that_runs_backwards_gives_nothing_back() -> None:
    bucket = Bucket(1, 1_000_000)
    bucket.add(1, 5_000_000)

    assert not bucket.fits(1, 0)
    assert not bucket.fits(1, 5_500_000)
    assert bucket.fits(1, 6_000_000)


# --- draws -----------------------------------------------------------------------------------


def test_draws_are_even() -> None:
    seen = [draws.unit(index.to_bytes(4, "little"), "test") for index in range(20_000)]

    assert abs(sum(value < 0.03 for value in seen) - 600) < 120
    assert abs(sum(seen) / len(seen) - 0.5) < 0.01


def test_a_share_hits_about_as_many_messages_as_it_says() -> None:
    engine = Engine(rules=parse_rules([{"match": {"share": 3}, "refuse": "blocked"}]))
    batch = [Submission(f"r{i}", str(254711000000 + i), "SHOP", "x") for i in range(10_000)]

    engine.submit(batch, 0)

    assert 230 < engine.oracle.refused_by_code["blocked"] < 370


def test_content_is_told_apart_whatever_its_parts_hold() -> None:
    one = draws.content_digest(0, "a", "254711000001", "AB", "C")
    two = draws.content_digest(0, "a", "254711000001", "A", "BC")
    half = draws.content_digest(0, "a", "254711000001", "A", "\ud800")

    assert len({one, two, half}) == 3


def test_a_shuffle_never_returns_the_order_it_got() -> None:
    for size in range(2, 40):
        items = list(range(size))
        assert draws.shuffled(b"key", "x", items) != items
        assert sorted(draws.shuffled(b"key", "x", items)) == items


# --- parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("x" * 152 + "€" + "x" * 153, 3),
        ("ş" * 70, 1),
        ("ş" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_parts_are_counted_as_a_phone_would(text: str, parts: int) -> None:
    assert count_parts(text) == parts


@given(st.text(alphabet="aé€^ş😀", max_size=400))
@settings(max_examples=60, deadline=None)
def test_parts_agree_with_another_implementation(text: str) -> None:
    smsutil = pytest.importorskip("smsutil", reason="smsutil is not installed")

    assert count_parts(text) == max(1, len(smsutil.split(text).parts))


# --- magic numbers ---------------------------------------------------------------------------


def test_every_magic_number_is_a_valid_number_with_a_name_of_its_own() -> None:
    names = magic.life_names()

    assert len(set(names.values())) == len(magic.LIVES)
    for region in magic.BLOCKS:
        for number in magic.LIVES:
            parsed = phonenumbers.parse("+" + magic.number_in(region, number))
            assert phonenumbers.is_valid_number(parsed)
            assert phonenumbers.region_code_for_number(parsed) == region


def test_every_life_is_a_rule_without_mistakes() -> None:
    for number, knobs in magic.LIVES.items():
        parse_rules([{"match": {"number": number}, **knobs}])
    assert len(magic_rules()) == len(magic.LIVES) * len(magic.BLOCKS)


def test_magic_numbers_come_before_rules_and_can_be_turned_off() -> None:
    rules = [{"report": "expired"}]
    message = [Submission("r", magic.BLOCKED, "SHOP", "x")]

    on = Engine(rules=parse_rules(rules)).submit(message, 0)
    off = Engine(rules=parse_rules({"magic": "off", "rules": rules})).submit(message, 0)

    assert (on.rows[0].code, off.rows[0].status) == ("blocked", "accepted")


def test_a_number_of_the_block_without_a_life_is_simply_delivered() -> None:
    record = (
        Engine(rules=parse_rules([]))
        .submit([Submission("r", "254700000999", "SHOP", "x")], 0)
        .records[0]
    )

    assert [pending.spec.state for pending in record.reports] == ["delivered"]


def test_what_is_no_number_is_refused_without_any_rule() -> None:
    rows = Engine().submit([Submission("r", "abc", "SHOP", "x")], 0).rows

    assert rows[0].code == "invalid_number"
