"""Every carrier in the worst house: whatever it answers, nothing is claimed that is not so.

In process: what the house did is known, and each result is held against it. What goes wrong on the
wire itself is in test_wire.py.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.testing import InProcessTransport
from simulator.testing.strategies import fault_plans
from tests.carriers.checks import (
    ask,
    ask_house,
    check_truth,
    claims_nothing_was_taken,
)
from tests.carriers.kinds import REMOTE, Counted, Kind, Scripted, batch_of

WORST: dict[str, Any] = {
    "answer reset": {"lose_answer": "reset"},
    "answer closed": {"lose_answer": "close"},
    "answer silent": {"lose_answer": "silence"},
    **{f"answer replaced by {s}": {"lose_answer": s} for s in (400, 401, 402, 403, 404, 408, 413,
                                                               429, 500, 502, 503, 504)},
    "request reset": {"lose_request": "reset"},
    "request silent": {"lose_request": "silence"},
    "request replaced by 503": {"lose_request": 503},
    "processed late, reset": {"process_late": 30},
    "processed late, 504": {"process_late": {"after_s": 30, "how": "status", "status": 504}},
    "dropped after 0": {"drop_after": 0},
    "dropped after 3": {"drop_after": 3},
    "answered after the time-out": {"latency": 60},
    "shuffled rows": {"rows": {"shuffled": True}},
    "missing rows": {"rows": {"missing": 4}},
    "no rows": {"rows": {"missing": 10}},
    "extra rows": {"rows": {"extra": 5}},
    "all of these rows": {"rows": {"shuffled": True, "missing": 3, "extra": 3}},
    **{f"{how} body": {"body": how} for how in ("invalid_json", "html", "empty", "wrong_type",
                                                "redirect", "truncated")},
    "huge body": {"body": {"how": "huge", "size_bytes": 3_000_000}},
    **{f"{form} ids": {"id_form": form} for form in ("hex", "upper", "decimal", "padded", "big",
                                                     "uuid")},
    **{f"price as {form}": {"price": {"form": form}} for form in ("text", "number", "comma",
                                                                  "missing", "zero")},
    **{f"refused: {code}": {"refuse": {"code": code, "tries": 1000}} for code in (
        "throttled", "queue_full", "temporary_failure", "invalid_number", "unknown_sender",
        "blocked", "content_rejected", "unroutable", "out_of_credit", "sender_not_registered",
        "account_suspended")},
    "half refused": {"match": {"share": 50}, "refuse": "blocked"},
    "half throttled": {"match": {"share": 50}, "refuse": "throttled"},
    "refused, yet delivered": {"refuse": {"code": "blocked", "report": "delivered"}},
    **{f"request refused: {code}": {"answer": code} for code in (
        "invalid_request", "invalid_key", "out_of_credit", "account_suspended", "too_large",
        "throttled", "queue_full", "temporary_failure")},
    "request refused: an unknown code": {"answer": {"code": "full_moon", "status": 503}},
    "request refused: throttled as 503": {"answer": {"code": "throttled", "status": 503}},
    "throttled by parts": {"throttle": {"parts_per_second": 1, "burst": 3, "per": "message"}},
    "throttled, Retry-After lies": {"throttle": {"parts_per_second": 1, "burst": 1,
                                                 "retry_after": "lying"}},
    "throttled, Retry-After is a date": {"throttle": {"parts_per_second": 1, "burst": 1,
                                                      "retry_after": "date"}},
    "queue full": {"queue": {"depth": 2, "drain_per_second": 1, "per": "message"}},
    "credit for four": {"credit": 4},
    "duplicates dropped": {"dedupe_by_ref": True},
}  # fmt: skip


@pytest.mark.parametrize("fault", WORST)
def test_no_result_says_more_than_is_true(remote: Kind, fault: str) -> None:
    ask_house(remote, InProcessTransport(rules=[WORST[fault]]), batch_of(10))


@given(plan=fault_plans(), index=st.integers(0, len(REMOTE) - 1), count=st.integers(1, 8))
def test_no_combination_of_faults_makes_a_result_untrue(plan: Any, index: int, count: int) -> None:
    kind = REMOTE[index]
    with plan.on_failure():
        house = InProcessTransport(seed=plan.seed, rules=plan.document)
        batch = batch_of(count)
        counted = Counted(house)
        results = ask(kind.build(counted), batch)
        assert counted.posts == 1
        check_truth(kind, house, batch, results)


def test_a_row_that_is_missing_leaves_only_its_own_message_open(remote: Kind) -> None:
    batch = batch_of(10)

    results = ask_house(remote, InProcessTransport(rules=[{"rows": {"missing": 4}}]), batch)

    settled = [r for r in results.values() if r.outcome == "accepted"]
    assert len(settled) == 6
    assert len(results) == 6


# Answers that no simulator makes: every message was taken, and the words for it are strange.

JUNK = (
    None, True, False, 0, -1, 1.5, 10**40, "", " ", "None", "null", "\x00", "x\x00y", "a" * 500,
    "\u202e", "é", [], {}, [[]], {"a": 1}, "ACCEPTED", "Success!", "<html>", 999, "999", "101 ",
    "٣", -101, "1e3",
)  # fmt: skip


def corrupt(value: Any, data: st.DataObject) -> Any:
    """``value`` with one place in it replaced, removed or doubled."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 3)) == 0:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: corrupt(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        index = data.draw(st.integers(0, len(value) - 1))
        changed = corrupt(value[index], data)
        kept = value if data.draw(st.booleans()) else [*value[:index], *value[index + 1 :]]
        return data.draw(st.permutations([*kept, changed]))
    return data.draw(st.sampled_from(JUNK))


@given(data=st.data(), index=st.integers(0, len(REMOTE) - 1), times=st.integers(1, 3))
def test_a_yes_in_strange_words_is_never_read_as_a_no(
    data: st.DataObject, index: int, times: int
) -> None:
    kind = REMOTE[index]
    batch = batch_of(4)

    def answer(body: bytes) -> tuple[int, Any]:
        assert kind.accept is not None
        status, document = kind.accept(body)
        for _ in range(times):
            document = corrupt(document, data)
        return status, document

    transport = Scripted(answer)

    results = ask(kind.build(transport), batch)

    assert len(transport.asked) == 1
    assert {result.outcome for result in results.values()} <= {"accepted", "unknown"}


@given(
    index=st.integers(0, len(REMOTE) - 1),
    status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"[" * 100_000, b"{}", b"null", b"[]", b'"x"', b"\xef\xbb\xbf{}"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["messages", "code", "SMSMessageData", "Recipients", "Message"]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    retry_after=st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["nan", "-1", "inf"])),
)
def test_no_answer_breaks_it_and_none_of_these_is_proof(
    index: int, status: int, body: bytes, retry_after: str | None
) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    results = ask(REMOTE[index].build(Scripted((status, body, headers))), batch_of(2))

    assert not any(claims_nothing_was_taken(result) for result in results.values())


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError(), TimeoutError(), BrokenPipeError(), OSError("no route")],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_connection_leaves_everything_unknown(remote: Kind, error: Exception) -> None:
    results = ask(remote.build(Scripted(error)), batch_of(3))

    assert [(r.outcome, r.code) for r in results.values()] == [("unknown", "no_answer")] * 3


def test_rows_that_contradict_each_other_prove_nothing(remote: Kind) -> None:
    batch = batch_of(2)
    number, reference = f"+{batch[0].to}", batch[0].reference
    both: list[dict[str, Any]] = (
        [{"number": number, "statusCode": 101, "messageId": "ATXid_7", "cost": "KES 0.8"},
         {"number": number, "statusCode": 405, "messageId": "None", "cost": "0"}]
        if remote.name == "africastalking" else
        [{"client_ref": reference, "status": "accepted", "id": "ATXid_7"},
         {"client_ref": reference, "status": "refused", "code": "throttled"}]
    )  # fmt: skip
    for rows in (both, both[::-1]):
        answer: tuple[int, Any] = (200, {"messages": rows})
        if remote.name == "africastalking":
            answer = (201, {"SMSMessageData": {"Recipients": rows}})
        results = ask(remote.build(Scripted(answer)), batch)

        assert set(results) == {reference}
        found = results[reference]
        expected = ("unknown", "contradictory_answer", "ATXid_7")
        assert (found.outcome, found.code, found.carrier_ref) == expected


IDS: list[tuple[Any, str]] = [
    ("ATXid_1", "ATXid_1"), (" ATXid_1\n", "ATXid_1"), (17, "17"),
    (9308878062554710043, "9308878062554710043"), ("a\x00b", "ab"), ("é\u2028", "é"),
    (None, ""), ("", ""), ([], ""), ({}, ""), (True, ""), (1.5, ""), ("x" * 500, "x" * 120),
]  # fmt: skip


@pytest.mark.parametrize(("given_id", "kept"), IDS, ids=[repr(i)[:20] for i, _ in IDS])
def test_an_id_in_a_strange_form_is_kept_as_text_and_accepts_all_the_same(
    remote: Kind, given_id: Any, kept: str
) -> None:
    def answer(body: bytes) -> tuple[int, Any]:
        assert remote.accept is not None
        status, document = remote.accept(body)
        rows = document.get("messages") or document["SMSMessageData"]["Recipients"]
        rows[0]["messageId" if "messageId" in rows[0] else "id"] = given_id
        return status, document

    batch = batch_of(2)

    results = ask(remote.build(Scripted(answer)), batch)

    assert [result.outcome for result in results.values()] == ["accepted"] * 2
    assert results[batch[0].reference].carrier_ref == kept


def test_a_message_that_may_wait_for_half_a_year_does_not_cost_its_request(remote: Kind) -> None:
    batch = [msgspec.structs.replace(sms, validity_s=180 * 24 * 3600) for sms in batch_of(2)]

    results = ask_house(remote, InProcessTransport(), batch)

    assert [result.outcome for result in results.values()] == ["accepted"] * 2
