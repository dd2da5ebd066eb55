"""``python -m tests.crash``: play the whole matrix, then print how every cell ended.

Arguments are pytest's: ``python -m tests.crash -k "killed and inside_tx3"`` plays a part of it.
"""

from __future__ import annotations

import sys

import pytest

from tests.crash.figures import table

WHOLE = ("tests/crash/matrix.py", "tests/crash/test_crowd.py")

if __name__ == "__main__":
    status = pytest.main(["-q", "-p", "no:cacheprovider", *WHOLE, *sys.argv[1:]])
    print(table())
    sys.exit(status)
