"""Every carrier in the best house: everything works, and nothing is lost or made up."""

from __future__ import annotations

import time

import pytest

from bulksms.carriers import locmem
from bulksms.carriers.base import ON_ITS_WAY, Carrier
from simulator import magic
from simulator.testing import InProcessTransport
from tests.carriers.checks import ask, ask_house, check_report
from tests.carriers.kinds import AFRICASTALKING, LOCMEM, Kind, Scripted, batch_of

TEXTS = [
    "Habari yako",
    "50% off & more = fun + free?",
    "two\nlines\r\nand a tab\t.",
    "Ünïcode, emoji 🎉 and שלום",
    "  edges  ",
    "[~^{|}\\€]",
    "x" * 1600,
    "+254700000000,+254700000001",
]


def test_everything_is_accepted_once_and_has_an_id(kind: Kind) -> None:
    batch = batch_of(50)
    if kind is LOCMEM:
        results = ask(kind.build(), batch)
        assert locmem.outbox == batch
    else:
        results = ask_house(kind, InProcessTransport(), batch)

    assert [results[sms.reference].outcome for sms in batch] == ["accepted"] * 50
    assert len({results[sms.reference].carrier_ref for sms in batch}) == 50
    assert all(results[sms.reference].carrier_ref for sms in batch)


def test_a_request_without_messages_is_not_sent(kind: Kind) -> None:
    transport = Scripted(AssertionError("was asked"))
    carrier = kind.build(transport)

    assert carrier.submit(carrier.prepare([]), time.monotonic() + 5) == {}
    assert transport.asked == []


def test_after_the_deadline_nothing_is_sent_and_that_is_proof(kind: Kind) -> None:
    transport = Scripted(AssertionError("was asked"))
    batch = batch_of(3)

    results = ask(kind.build(transport), batch, timeout_s=-0.001)

    assert {result.code for result in results.values()} == {"too_late_to_ask"}
    assert all(result.temporary for result in results.values())
    assert len(results) == 3
    assert transport.asked == []
    assert locmem.outbox == []


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_text_arrives_as_it_was_written(remote: Kind, text: str) -> None:
    house = InProcessTransport()
    batch = batch_of(2, text)

    ask_house(remote, house, batch)

    records = list(house.engine.oracle.latest())
    assert [(record.text, record.sender) for record in records] == [(text, "SHOP")] * 2
    assert {record.to for record in records} == {sms.to for sms in batch}


def test_half_of_a_surrogate_pair_fails_its_own_text_alone(remote: Kind) -> None:
    transport = Scripted(remote.accept)
    carrier = remote.build(transport)
    bad, good = batch_of(1, "broken \ud83c"), batch_of(3)[1:]

    if carrier.one_text_per_request:  # another text is another request anyway
        assert carrier.prepare(bad).unencodable.keys() == {bad[0].reference}
        assert ask(carrier, bad) == {}
        assert transport.asked == []
        return

    results = ask(carrier, [*bad, *good])

    assert set(results) == {sms.reference for sms in good}
    assert carrier.prepare([*bad, *good]).unencodable.keys() == {bad[0].reference}


def test_a_batch_that_breaks_what_the_carrier_declares_is_a_bug_of_the_caller() -> None:
    carrier = AFRICASTALKING.build(Scripted())
    one, other = batch_of(1, "a"), batch_of(2, "b")[1:]

    with pytest.raises(ValueError, match="one text"):
        carrier.prepare([*one, *other])
    with pytest.raises(ValueError, match="twice"):
        carrier.prepare([*one, *batch_of(1, "a")])


def reports_of(house: InProcessTransport, carrier: Carrier) -> list[object]:
    parsed: list[object] = []

    def deliver(headers: dict[str, str], body: bytes) -> int:
        lower = {name.lower(): value for name, value in headers.items()}
        for _ in range(2):  # a copy of a post is the same report
            found = carrier.parse_reports(lower, body)
            for report in found:
                check_report(report)
            parsed.append(found)
        return 200

    house.advance(10, deliver)
    assert parsed[::2] == parsed[1::2]
    return [report for found in parsed[::2] for report in found]


def test_reports_find_their_messages(remote: Kind) -> None:
    house = InProcessTransport()
    carrier = remote.build(house)
    batch = batch_of(5)

    results = ask(carrier, batch)
    reports = reports_of(house, carrier)

    assert {r.carrier_ref for r in reports} == {r.carrier_ref for r in results.values()}
    assert {r.state for r in reports} == {"delivered"}
    assert len({r.dedupe_key for r in reports}) == 5


@pytest.mark.parametrize(
    ("life", "states"),
    [
        (magic.DELIVERED, ["delivered"]),
        (magic.REJECTED, ["rejected"]),
        (magic.ENROUTE_FIRST, [ON_ITS_WAY, "delivered"]),
        (magic.FOREIGN_STATE, [ON_ITS_WAY]),
        (magic.REPORT_WITHOUT_CODE, ["delivered"]),
    ],
)
def test_each_foreign_word_has_one_meaning(remote: Kind, life: str, states: list[str]) -> None:
    house = InProcessTransport()
    carrier = remote.build(house)
    sms = batch_of(1)[0]
    ask(carrier, [type(sms)(sms.reference, life, "SHOP", "Hi", 1, 3600)])

    assert [report.state for report in reports_of(house, carrier)] == states


def test_the_declarations_agree_with_each_other(kind: Kind) -> None:
    backend = kind.backend
    assert backend.matches_by in ("reference", "number")
    assert backend.query_settles_after_s >= 60
    assert 1 <= kind.build().batch_size <= backend.max_batch
    # Who is asked by reference must be able to say it back.
    assert not (backend.has_query and backend.matches_by == "number")
    # What is declared is there, and what is there is declared.
    assert (type(kind.build()).query is not Carrier.query) == backend.has_query


@pytest.mark.parametrize(
    "option", [{"max_batch": 0}, {"window": 0}, {"parts_per_second": 0}, {"parts_per_second": -1}]
)
def test_limits_that_let_nothing_through_are_mistakes(kind: Kind, option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="carrier main"):
        kind.build(**option)


def test_nothing_shows_texts_numbers_or_keys(kind: Kind) -> None:
    carrier = kind.build(Scripted())
    batch = batch_of(1, "a secret text")

    shown = f"{carrier!r} {batch!r} {carrier.prepare(batch)!r}"

    assert "secret" not in shown
    assert batch[0].to not in shown
    assert "test-key" not in shown


def test_a_key_with_a_line_break_is_a_mistake_that_does_not_show_it(remote: Kind) -> None:
    option = "api_key" if remote is AFRICASTALKING else "key"

    with pytest.raises(ValueError, match="no header can carry") as caught:
        remote.build(**{option: "s3cret\n"})
    assert "s3cret" not in str(caught.value)
