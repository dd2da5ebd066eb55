"""``python -m tests.crash``: play the whole matrix, then print how every cell ended.

Arguments are pytest's: ``python -m tests.crash -k "killed and tx2"`` plays a part of it.
"""

from __future__ import annotations

import sys

import pytest

from tests.crash.figures import table

if __name__ == "__main__":
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", "tests/crash/matrix.py", "tests/crash", *sys.argv[1:]]
    )
    print(table())
    sys.exit(status)
