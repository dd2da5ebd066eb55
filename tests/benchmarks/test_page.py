"""The page of figures says what was measured, and is not written by half a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import page, table
from tests.benchmarks.table import Layer, Row

GOOD = Row("intake", 2.0, "COPY", 1.0, 3.0)
MISSED = Row("life", 100.0, "bare SQL", 20.0, 2.5, "1,000 messages/s", cpu_us={"web": 40.4})


def test_a_missed_goal_says_so() -> None:
    text = page.text([GOOD, MISSED])

    assert "1 of 2 **miss** their goal" in text
    assert "| intake | COPY | 3.0x | 2.00x | 2 and 1 s |" in text
    assert "| life | bare SQL | 2.5x **missed** | 5.00x | 100 and 20 s; 1,000 messages/s |" in text
    assert "| life | 40 | 40 | - |" in text


def test_the_layers_are_summed() -> None:
    text = page.text([GOOD], [Layer("claim", 10.04, 5.0), Layer("record", 1.0, 2.0)])

    assert "| claim | 10.0 | 5.0 | 15.0 |" in text
    assert "| **all** | 11.0 | 7.0 | 18.0 |" in text
    assert "WAL" not in text


def test_the_sizes_are_whole_bytes() -> None:
    text = page.text([GOOD], [], {"stored": 1234.5, "wal": 2000.0})

    assert "1,234 bytes" in text
    assert "2,000 bytes of WAL" in text


def test_without_processes_there_is_no_table_of_them() -> None:
    text = page.text([GOOD])

    assert "All meet their goal." in text
    assert "Where the time goes" not in text


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the page of a pretended run goes."""
    for name in ("BULKSMS_BENCH_MESSAGES", "BULKSMS_BENCH_FINISHED", "BULKSMS_BENCH_ROWS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(page, "PATH", tmp_path / "performance.md")
    monkeypatch.setattr(table, "ROWS", [GOOD])
    monkeypatch.setattr(table, "LAYERS", [])
    return page.PATH


def pretend(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    """A run with one test that ended so."""

    def main(_arguments: list[str], plugins: list[bench.Outcomes]) -> int:
        report = pytest.TestReport("a", ("a", 0, "a"), {}, outcome, None, "call")  # type: ignore[arg-type]
        plugins[0].pytest_runtest_logreport(report)
        return int(outcome == "failed")

    monkeypatch.setattr(pytest, "main", main)


def test_a_whole_run_writes_the_page(monkeypatch: pytest.MonkeyPatch, written: Path) -> None:
    pretend(monkeypatch, "passed")

    assert bench.run([]) == 0
    assert "| intake |" in written.read_text()


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_run_that_did_not_do_everything_writes_nothing(
    outcome: str, monkeypatch: pytest.MonkeyPatch, written: Path
) -> None:
    pretend(monkeypatch, outcome)
    bench.run([])

    assert not written.exists()


def test_a_selection_and_a_smaller_run_write_nothing(
    monkeypatch: pytest.MonkeyPatch, written: Path
) -> None:
    pretend(monkeypatch, "passed")
    bench.run(["-k", "life"])
    monkeypatch.setenv("BULKSMS_BENCH_MESSAGES", "10")
    bench.run([])

    assert not written.exists()
