"""The quick ways of reading, writing and ordering give what the plain ways give."""

from __future__ import annotations

import heapq
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator import wire
from simulator.engine import Engine, EngineSettings, Row, Submission
from simulator.engine.knobs import ReportSpec
from simulator.engine.messages import Pending, Record
from simulator.engine.schedule import Schedule

texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=8)
rows = st.builds(
    Row,
    client_ref=texts,
    to=st.from_regex(r"[0-9]{7,15}", fullmatch=True),
    status=st.sampled_from(("accepted", "refused")),
    id=texts,
    parts=st.integers(1, 9),
    price=st.none() | texts | st.floats(0, 1e20, allow_nan=False),
    code=texts,
    detail=texts,
)


def plainly(row: Row) -> dict[str, Any]:
    head = {"client_ref": row.client_ref, "to": "+" + row.to, "status": row.status}
    if row.status != "accepted":
        return {**head, "code": row.code, "detail": row.detail}
    price = {} if row.price is None else {"price": row.price}
    return {**head, "id": row.id, "parts": row.parts, **price}


@given(st.lists(rows, max_size=4))
@example([Row("r", "254711000001", "accepted", "i", 1, 1e-05)])
@example([Row("half \ud800", "254711000001", "accepted", "i", 1, 0.8)])
@settings(max_examples=200, deadline=None)
def test_rows_are_written_as_the_standard_library_would(rows: list[Row]) -> None:
    assert wire.render_rows(rows) == wire.dump({"messages": [plainly(row) for row in rows]})


MESSAGE = b'{"messages":[{"to":"+254711000001","client_ref":"a","text":%s}]}'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (MESSAGE % b'"Hi"', "Hi"),
        (b"\xef\xbb\xbf" + MESSAGE % b'"Hi"', "Hi"),
        ((MESSAGE % b'"Hi"').decode().encode("utf-16"), "Hi"),
        (MESSAGE % b'"\\ud800"', "\ud800"),
        (MESSAGE % b'"Hi","more":NaN', "Hi"),
        (MESSAGE % b'"no","text":"Hi"', "Hi"),
        (MESSAGE % b"null", ""),
    ],
)
def test_what_is_json_to_the_standard_library_is_json_to_us(body: bytes, text: str) -> None:
    assert wire.parse_submit(body) == [Submission("a", "254711000001", "", text)]


@pytest.mark.parametrize("validity", [b"true", b"1.0", b"-1", b"2592001", b'"1"', b"1" * 30])
def test_a_validity_that_is_no_such_number_is_refused_with_its_place(validity: bytes) -> None:
    with pytest.raises(wire.BadRequest, match=r"messages\[0\]\.validity_s"):
        wire.parse_submit(MESSAGE % (b'"Hi","validity_s":' + validity))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=60))
@settings(max_examples=100, deadline=None)
def test_what_is_due_comes_by_time_then_content_however_it_was_added(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Against one heap. After a step that says so, one item that is due by then is taken."""
    schedule, heap = Schedule(1), list[tuple[int, str, int]]()
    record = Record("", "", "", "", None, "json", 0, b"", 0, 0, 1)
    for number, (due, content, takes) in enumerate(steps):
        schedule.add(Pending(str(content), record, ReportSpec(), due, copy=number))
        heapq.heappush(heap, (due, str(content), number))
        if takes:
            now = number % 6
            expected = [heapq.heappop(heap)[2]] if heap[0][0] <= now else []
            taken = schedule.due_callbacks(now, 1)
            assert [callback.items[0].copy for callback in taken] == expected
        assert schedule.waiting() == len(heap)
        assert schedule.next_due() == (heap[0][0] if heap else None)


def test_records_are_found_whenever_somebody_first_asks() -> None:
    engine = Engine(EngineSettings(keep=4))
    for index in range(12):
        engine.submit([Submission(f"r{index}", "254711000001", "SHOP", str(index))], 0)
        if index % 5 == 4:
            kept = [f"r{i}" for i in range(index - 3, index + 1)]
            found = engine.oracle.records(to="254711000001")
            assert [record.client_ref for record in found] == kept
            assert [engine.oracle.records(client_ref=ref) for ref in kept] == [[r] for r in found]
            assert engine.oracle.records(client_ref=f"r{index - 4}") == []


def test_reports_in_one_body_each_tell_their_own_time() -> None:
    engine = Engine(EngineSettings(report_batch=10))
    batch = [Submission(f"r{i}", f"25471100000{i}", "SHOP", "x") for i in range(5)]
    engine.submit(batch, 1_767_225_600_000_000)

    (callback,) = engine.due_callbacks(1_767_225_610_000_000)
    reports = json.loads(wire.render_callback(callback, {}))["reports"]

    shown = [report["at"] for report in reports]
    assert shown == sorted(set(shown))
    assert {at[:17] for at in shown} == {"2026-01-01T00:00:"}
