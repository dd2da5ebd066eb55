"""The three kinds of determinism: of each message, of each request, of each sequence."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import magic
from simulator.engine import Decision, Engine, EngineSettings, Submission
from simulator.schema import parse_rules
from simulator.testing import serve_in_thread
from tests.simulator.helpers import message, send

TRUTH_RULES: list[object] = [
    {"match": {"share": 10}, "refuse": {"code": "throttled", "tries": 2}},
    {"match": {"share": 5}, "refuse": "blocked"},
    {"match": {"share": 5}, "refuse": {"code": "unroutable", "report": "delivered"}},
    {"match": {"share": 10}, "report": {"state": "undelivered", "delay_s": [1, 50]}},
    {"match": {"share": 10}, "report": [{"state": "enroute"}, {"state": "expired", "copies": 2}]},
    {"match": {"share": 30}, "id_form": "decimal"},
    {"match": {"share": 30}, "price": {"form": "comma"}},
    {"match": {"share": 10}, "reply": "STOP"},
]


def engine(*rules: object, seed: int = 7) -> Engine:
    return Engine(EngineSettings(seed=seed), parse_rules(list(rules)))


def campaign(size: int) -> list[Submission]:
    """Messages of which every tenth has an equal twin under another reference."""
    return [
        Submission(f"ref-{i}", str(254711000000 + i - (i % 10 == 9)), "SHOP", "Hello " * (i % 40))
        for i in range(size)
    ]


def split(messages: Sequence[Submission], size: int) -> Iterable[Sequence[Submission]]:
    return (messages[start : start + size] for start in range(0, len(messages), size))


Fate = tuple[object, object, object, object]


def fates(decision: Decision) -> list[Fate]:
    """Everything that was decided about each message, without its reference."""
    return [
        (
            (record.to, record.sender, record.text),
            (record.status, record.code, record.id, record.price, record.try_number),
            tuple(rule.name for _, rule in record.hits),
            tuple((p.report_id, p.spec.state, p.due - record.at) for p in record.reports),
        )
        for record in decision.records
    ]


def run(messages: Sequence[Submission], size: int, start: int = 0) -> Counter[Fate]:
    """Send in requests of `size`, each at its own time; send again what is refused for now."""
    carrier, seen, now = engine(*TRUTH_RULES), Counter[Fate](), start
    for _ in range(3):
        again: list[Submission] = []
        for request in split(messages, size):
            now += 13_000
            decision = carrier.submit(request, now)
            seen.update(fates(decision))
            again += [
                sent
                for sent, record in zip(request, decision.records, strict=True)
                if record.code == "throttled"
            ]
        messages = again
    assert not messages
    return seen


def test_the_truth_is_the_same_in_ten_orders_and_three_splits() -> None:
    messages = campaign(300)
    expected = run(messages, 300)
    assert len({fate[1] for fate in expected}) > 250

    for order in range(10):
        shuffled = random.Random(order).sample(messages, len(messages))
        for size in (1, 17, 100):
            assert run(shuffled, size, start=order * 10**9) == expected


def test_the_truth_hangs_on_the_seed_and_not_on_references() -> None:
    messages = campaign(200)
    renamed = [sent._replace(client_ref=f"other-{i}") for i, sent in enumerate(messages)]

    assert run(renamed, 50) == run(messages, 50)
    assert fates(engine(*TRUTH_RULES, seed=8).submit(messages, 0)) != fates(
        engine(*TRUTH_RULES, seed=7).submit(messages, 0)
    )


@pytest.mark.parametrize("clients", [1, 2, 5, 8])
def test_the_truth_is_the_same_for_any_number_of_clients(clients: int) -> None:
    expected = _over_http(1)

    assert _over_http(clients) == expected


def _over_http(clients: int) -> Counter[Fate]:
    """Send one campaign through `clients` threads; return what the oracle has."""
    batches = [[message(i) for i in range(start, 120, 12)] for start in range(12)]
    with serve_in_thread(seed=3, rules=TRUTH_RULES) as simulator:

        def work(number: int) -> None:
            for batch in batches[number::clients]:
                send(simulator.url, batch)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = simulator.engine.oracle.records()
    return Counter(fates(Decision(records=records)))


# --- request knobs ---------------------------------------------------------------------------

REQUEST_RULES: list[object] = [
    {"match": {"share": 30}, "lose_answer": {"how": "reset", "tries": 1}},
    {"match": {"share": 30}, "drop_after": {"accepted": 1, "tries": 2}},
    {"match": {"share": 50}, "latency": [0.1, 5]},
    {"match": {"share": 50}, "rows": {"shuffled": True, "missing": 1}},
    {"match": {"share": 20}, "body": "html"},
]


def wire_faults(decision: Decision) -> tuple[Any, ...]:
    missing = len(decision.records) - len(decision.rows)
    return decision.fault, decision.latency_us, decision.body, missing


def test_equal_requests_meet_equal_faults_whatever_their_order_and_references() -> None:
    requests = [campaign(200)[start : start + 5] for start in range(0, 200, 5)]
    one, two = engine(*REQUEST_RULES), engine(*REQUEST_RULES)
    first = [wire_faults(one.submit(request, 0)) for request in requests]
    others = [[m._replace(client_ref=f"x-{m.client_ref}") for m in r][::-1] for r in requests]

    second = [wire_faults(two.submit(request, 9)) for request in reversed(others)]

    assert first == second[::-1]
    assert len({str(faults) for faults in first}) > 20


def test_a_fault_with_tries_lets_the_equal_request_through_afterwards() -> None:
    carrier = engine({"lose_request": {"how": "reset", "tries": 2}})
    request = campaign(3)

    lost = [carrier.submit(request, 0).fault is not None for _ in range(4)]

    assert lost == [True, True, False, False]


def test_a_throttled_request_uses_no_try_of_a_fault() -> None:
    limit = {"throttle": {"parts_per_second": 1, "burst": 3}}
    carrier = engine(limit, {"lose_answer": {"how": "reset", "tries": 1}})
    carrier.submit([Submission("a", "254711000001", "SHOP", "first")] * 3, 0)
    request = [Submission("b", "254711000002", "SHOP", "second")]

    throttled = carrier.submit(request, 0)
    lost = carrier.submit(request, 1_000_000)
    through = carrier.submit(request, 2_000_000)

    assert throttled.refusal is not None
    assert (lost.fault is not None, through.fault) == (True, None)


# --- shared state ----------------------------------------------------------------------------

arrivals = st.lists(
    st.tuples(st.integers(0, 3_000_000), st.integers(1, 12)), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(arrivals=arrivals, rate=st.sampled_from((1, 3, 7.5)), burst=st.integers(1, 15))
def test_no_window_is_ever_over_the_cap_and_the_same_sequence_has_the_same_answers(
    arrivals: list[tuple[int, int]], rate: float, burst: int
) -> None:
    rule = {"throttle": {"parts_per_second": rate, "burst": burst}}

    taken = _accept(engine(rule), arrivals)

    assert taken == _accept(engine(rule), arrivals)
    for start, (begun, _) in enumerate(taken):
        inside = 0
        for at, parts in taken[start:]:
            inside += parts
            assert inside <= burst + rate * (at - begun) / 1_000_000 + 1e-6


def _accept(carrier: Engine, arrivals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (time, parts) of the requests that were taken."""
    now, taken = 0, []
    for index, (wait, size) in enumerate(arrivals):
        now += wait
        request = [Submission(f"{index}-{i}", "254711000000", "SHOP", "x") for i in range(size)]
        if carrier.submit(request, now).refusal is None:
            taken.append((now, size))
    return taken


@pytest.mark.parametrize("limit", ["throttle", "queue"])
def test_clients_that_obey_retry_after_end_as_in_the_unthrottled_run(limit: str) -> None:
    knobs: dict[str, object] = {
        "throttle": {"parts_per_second": 30, "burst": 60},
        "queue": {"depth": 60, "drain_per_second": 20},
    }
    free, bound = engine(*TRUTH_RULES), engine({limit: knobs[limit]}, *TRUTH_RULES)
    requests = list(split(campaign(300), 6))

    expected = Counter(fate for r in requests for fate in _without_names(free.submit(r, 0)))
    seen, now = Counter[tuple[object, ...]](), 0
    for request in requests:
        decision = bound.submit(request, now)
        while decision.refusal is not None:
            now += int(decision.refusal.retry_after or 0) * 1_000_000
            decision = bound.submit(request, now)
        seen.update(_without_names(decision))

    assert seen == expected
    assert sum(bound.refusals.values()) > 0


@pytest.mark.parametrize("limit", ["throttle", "queue"])
def test_messages_refused_one_by_one_end_as_in_the_unthrottled_run_too(limit: str) -> None:
    knobs: dict[str, object] = {
        "throttle": {"parts_per_second": 30, "burst": 60, "per": "message"},
        "queue": {"depth": 60, "drain_per_second": 20, "per": "message"},
    }
    messages = campaign(300)
    free, bound = engine(*TRUTH_RULES), engine({limit: knobs[limit]}, *TRUTH_RULES)
    expected = Counter(_without_names(free.submit(messages, 0)))

    seen, now, rounds = Counter[tuple[object, ...]](), 0, 0
    while messages:
        decision = bound.submit(messages, now)
        refused = [r for r in decision.records if [knob for knob, _ in r.hits] == [limit]]
        told = [r for r in decision.records if r not in refused]
        seen.update(_without_names(Decision(records=told)))
        left = {record.client_ref for record in refused}
        messages = [sent for sent in messages if sent.client_ref in left]
        now, rounds = now + 1_000_000, rounds + 1

    assert seen == expected
    assert rounds > 3


def _without_names(decision: Decision) -> list[tuple[object, ...]]:
    """Drop the names of rules: one more stands before them here, so their places differ."""
    return [(what, truth, reports) for what, truth, _, reports in fates(decision)]


def test_the_nth_arrival_is_counted() -> None:
    carrier = engine({"match": {"nth": {"every": 3}}, "refuse": "blocked"})

    rows = carrier.submit(campaign(9), 0).rows

    assert [row.code for row in rows] == ["", "", "blocked"] * 3


def test_reports_due_at_one_instant_go_out_in_one_order_whatever_came_first() -> None:
    def posted(messages: Sequence[Submission]) -> list[str]:
        carrier = engine({"report": {"state": "delivered", "delay_s": 60}})
        carrier.submit(messages, 0)
        return [callback.id for callback in carrier.due_callbacks(60_000_000)]

    messages = [sent for sent in campaign(60) if not sent.client_ref.endswith("9")]

    assert posted(messages) == posted(messages[::-1])


def test_two_magic_numbers_in_one_request_make_one_fault_in_any_order() -> None:
    lost = Submission("a", magic.ANSWER_RESET, "SHOP", "x")
    silent = Submission("b", magic.ANSWER_SILENT, "SHOP", "x")

    one, two = engine().submit([lost, silent], 0), engine().submit([silent, lost], 0)

    assert one.fault is not None
    assert one.fault == two.fault


def test_what_is_processed_late_happens_at_its_own_time_however_late_we_look() -> None:
    rules = ({"process_late": 60}, {"report": {"state": "delivered", "delay_s": 5}})
    punctual, sleepy = engine(*rules), engine(*rules)
    for carrier in (punctual, sleepy):
        carrier.submit(campaign(3), 0)
    punctual.take_up_due(60_000_000)

    (first, *_), (second, *_) = (c.due_callbacks(10**9) for c in (punctual, sleepy))

    assert first.due == second.due == 65_000_000
    assert sleepy.oracle.records()[0].at == 60_000_000


def test_report_times_are_rounded_up_to_whole_grains() -> None:
    grain_us = 500_000
    settings = EngineSettings(report_grain_us=grain_us, report_batch=10)
    carrier = Engine(settings, parse_rules([]))
    carrier.submit(campaign(40), 123_456)

    callbacks = carrier.due_callbacks(10**9)

    dues = [item.due for callback in callbacks for item in callback.items]
    assert {due % grain_us for due in dues} == {0}
    assert min(dues) >= 123_456 + 1_000_000
    assert {len(callback.items) for callback in callbacks} <= set(range(1, 11))
    assert len(callbacks) < 40
