"""``python -m tests.benchmarks``: run every benchmark once and print the table last.

Each row is a ratio: our work beside the bare minimum of SQL for the same rows, measured in one run
on one machine. Absolute times are printed for orientation and never asserted.
"""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks import table

if __name__ == "__main__":
    status = pytest.main(
        ["-q", "-m", "bench", "-p", "no:cacheprovider", "tests/benchmarks", *sys.argv[1:]]
    )
    print(table.rendered())
    sys.exit(status)
