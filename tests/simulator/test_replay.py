"""The journal, its replay, and a simulator that answers from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator import magic
from simulator.accounts import Account, House
from simulator.cli import main
from simulator.clocks import VirtualClock
from simulator.echo import EchoEngine
from simulator.journal import JournalOverflow
from simulator.replay import BadJournal, read_journal, read_lines, replay
from simulator.schema import parse_rules
from simulator.testing import InProcessTransport, SimulatorThread, serve_in_thread
from tests.simulator.helpers import HEADERS, body_of, call, message, send

URL = "http://carrier.test/v1/messages"
RULES: list[object] = [
    {"name": "some blocked", "match": {"share": 20}, "refuse": "blocked"},
    {"name": "some throttled", "throttle": {"share": 30, "tries": 2}},
    {"name": "some lost", "match": {"share": 30}, "lose_answer": {"how": "reset", "tries": 1}},
    {"name": "some late", "match": {"share": 20}, "process_late": {"after_s": 7, "tries": 1}},
    {"name": "slow", "latency": [0, 0.2]},
    {"report": [{"state": "enroute"}, {"state": "delivered", "copies": 2}]},
]


def busy(**options: Any) -> InProcessTransport:
    """A carrier that has seen every kind of entry."""
    transport = InProcessTransport(seed=5, rules=RULES, **options)
    statuses = iter([500, 0, 503] + [200] * 10_000)
    for start in range(0, 60, 6):
        for _ in range(3):
            post(transport, *(message(index) for index in range(start, start + 6)))
        transport.advance(2, lambda _h, _b: next(statuses))
    post(transport, message(900, to=magic.REPORT_BEFORE_ANSWER))
    transport("GET", f"{URL}?client_ref=ref-1&client_ref=never", HEADERS, b"", 5)
    transport.account.set_rules(parse_rules([{"refuse": "unroutable"}]))
    post(transport, message(901))
    transport.advance(100, lambda _h, _b: 200)
    return transport


def post(transport: InProcessTransport, *messages: dict[str, Any]) -> Any:
    try:
        answer = transport("POST", URL, HEADERS, body_of(list(messages)), 10.0)
    except ConnectionResetError:
        return None
    return json.loads(answer[2])


def test_replay_computes_every_decision_again() -> None:
    lines = list(busy().account.journal.lines())

    header, entries = read_lines(lines)

    kinds = {entry["kind"] for entry in entries}
    assert kinds == {"submit", "query", "take", "settle", "postpone", "rules"}
    assert replay(header, entries) is None


def test_replay_with_one_rule_changed_names_the_first_divergence() -> None:
    header, entries = read_lines(busy().account.journal.lines())
    changed = parse_rules([{**RULES[0], "refuse": "unroutable"}, *RULES[1:]])  # type: ignore[dict-item]

    found = replay(header, entries, changed)

    assert found is not None
    assert (found.kind, found.recorded, found.computed) == ("submit", '"blocked"', '"unroutable"')
    assert found.place.startswith("decision.rows[")


def test_replay_notices_a_journal_that_was_changed_by_hand() -> None:
    header, entries = read_lines(busy().account.journal.lines())
    taken = next(entry for entry in entries if entry["kind"] == "take")
    taken["decision"][0]["items"][0][2] += 1

    found = replay(header, entries)

    assert found is not None
    assert found.place == "decision[0].items[0][2]"


def test_the_command_line_replays_a_journal_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "journal.jsonl", tmp_path / "rules.json"
    path.write_text("\n".join(busy().account.journal.lines()), encoding="utf-8")
    other.write_text('[{"refuse": "unroutable"}]', encoding="utf-8")

    assert main(["replay", str(path)]) == 0
    assert main(["replay", str(path), "--rules", str(other)]) == 1
    assert "line 2 (submit): decision." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1: not the start"),
        ("{", "line 1: not JSON"),
        ('{"kind":"start","format":99}', "line 1: not the start"),
        ('{"kind":"start","format":1}\n[]', "line 2: not an entry"),
    ],
)
def test_a_file_that_is_no_journal_says_which_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadJournal, match=says):
        read_journal(path)
    assert main(["replay", str(path)]) == 2


def test_a_journal_in_a_file_holds_the_same_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    account = Account(journal_path=path)
    transport = InProcessTransport(account)
    post(transport, message(1))
    account.reset()
    post(transport, message(1))

    assert list(account.journal.lines()) == path.read_text(encoding="utf-8").splitlines()
    assert replay(*read_journal(path)) is None
    account.journal.close()


def test_a_journal_in_memory_that_is_too_small_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.journal.MOST_IN_MEMORY", 10)
    transport = InProcessTransport()
    for start in range(0, 20, 5):
        post(transport, *(message(index) for index in range(start, start + 5)))

    with pytest.raises(JournalOverflow, match="--journal FILE"):
        list(transport.account.journal.lines())
    transport.account.reset()
    assert len(list(transport.account.journal.lines())) == 1


# --- serving from a journal ------------------------------------------------------------------


def echo_of(lines: list[str], **options: Any) -> SimulatorThread:
    account = Account(engine=EchoEngine(*read_lines(lines)), **options)
    house = House()
    house.add(account)
    return SimulatorThread(house)


def test_a_live_client_is_answered_by_content_and_try_and_by_nothing_else() -> None:
    rules: list[object] = [{"throttle": {"share": 50, "tries": 1}}, {"report": "undelivered"}]
    batch = [message(index) for index in range(8)]
    with serve_in_thread(seed=5, rules=rules) as first:
        recorded = [send(first.url, batch).json()["messages"] for _ in range(2)]
        lines = call("GET", f"{first.url}/_sim/journal").content.decode().splitlines()

    renamed = [{**sms, "client_ref": f"other-{sms['client_ref']}"} for sms in batch]
    with echo_of(lines) as second:
        echoed = [
            [send(second.url, [sms]).json()["messages"][0] for sms in renamed] for _ in range(2)
        ]
        strange = send(second.url, [message(99)])

    assert [_plain(rows) for rows in echoed] == [_plain(rows) for rows in recorded]
    assert (strange.status, strange.json()["code"]) == (501, "not_in_journal")


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "client_ref"} for row in rows]


def test_a_served_journal_reports_again_and_loses_the_same_answers() -> None:
    lines = list(busy().account.journal.lines())
    account = Account(engine=EchoEngine(*read_lines(lines)), clock=VirtualClock())
    transport, reports = InProcessTransport(account), list[Any]()

    def deliver(_headers: dict[str, str], body: bytes) -> int:
        reports.append(json.loads(body))
        return 200

    first = [post(transport, *(message(i) for i in range(6))) for _ in range(3)]
    transport.advance(3600, deliver)

    assert first == [post_of(lines, number) for number in range(3)]
    assert {report["client_ref"] for report in reports} <= {f"ref-{i}" for i in range(6)}
    assert {report["status"] for report in reports} == {"enroute", "delivered"}


def post_of(lines: list[str], number: int) -> Any:
    """What the client saw of the recorded submission `number`."""
    entry = [e for e in map(json.loads, lines) if e["kind"] == "submit"][number]
    if entry["decision"]["fault"] is not None:
        return None
    fresh = InProcessTransport(seed=5, rules=RULES)
    answers = [post(fresh, *(message(i) for i in range(6))) for _ in range(number + 1)]
    return answers[-1]


def test_equal_messages_in_one_request_are_echoed_each_with_its_own_fate() -> None:
    twins = [message(1), {**message(1), "client_ref": "twin"}]
    with serve_in_thread() as first:
        recorded = send(first.url, twins).json()
        lines = call("GET", f"{first.url}/_sim/journal").content.decode().splitlines()

    with echo_of(lines) as second:
        echoed = send(second.url, twins).json()
        thrice = send(second.url, [{**message(1), "client_ref": "third"}])

    assert echoed == recorded
    assert thrice.status == 501


def test_a_request_with_one_twin_too_many_is_not_in_the_journal() -> None:
    with serve_in_thread() as first:
        send(first.url, [message(1)])
        lines = call("GET", f"{first.url}/_sim/journal").content.decode().splitlines()

    with echo_of(lines) as second:
        twins = send(second.url, [message(1), {**message(1), "client_ref": "twin"}])
        alone = send(second.url, [message(1)])

    assert (twins.status, alone.status) == (501, 200)
