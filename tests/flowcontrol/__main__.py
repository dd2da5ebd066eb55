"""``python -m tests.flowcontrol``: pace, two carriers, a million messages; figures last."""

from __future__ import annotations

import sys

import pytest

from tests.flowcontrol import figures

if __name__ == "__main__":
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", "tests/flowcontrol/runs.py", *sys.argv[1:]]
    )
    print(figures.rendered())
    sys.exit(status)
