"""``python -m tests.benchmarks``: run every benchmark once and print the table last.

Each row is a ratio: our work beside the bare minimum for the same rows, measured in one run on one
machine. Absolute times are printed for orientation and never asserted. Arguments are pytest's. A
run of everything at full size, where all passed, writes docs/reference/performance.md.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.benchmarks import page, table

#: Variables that make a benchmark smaller begin so.
SMALLER = "BULKSMS_BENCH_"
HERE = "tests/benchmarks"


class Outcomes:
    """Whether every benchmark was run to its end and passed."""

    def __init__(self) -> None:
        self.are_all_good = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.are_all_good &= report.passed


def run(arguments: list[str]) -> int:
    """Returns pytest's exit code."""
    outcomes = Outcomes()
    options = ["-q", "-rs", "-m", "bench", "-p", "no:cacheprovider"]
    names_a_file = any(Path(word.partition("::")[0]).exists() for word in arguments)
    where = [] if names_a_file else [HERE]
    status = int(pytest.main([*options, *where, *arguments], plugins=[outcomes]))
    print(table.rendered())
    smaller = [name for name in os.environ if name.startswith(SMALLER)]
    if status == 0 and outcomes.are_all_good and not arguments and not smaller:
        page.write(table.ROWS, table.LAYERS, table.SIZES)
        print(f"written: docs/reference/{page.PATH.name}")
    else:
        print("docs/reference/performance.md stays: only a whole run at full size writes it")
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
