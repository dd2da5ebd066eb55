"""``python -m tests.versus``: play the contest, then print what became of both houses.

Exits 1 when ours sent twice, lost a message or cannot explain a cent.
"""

from __future__ import annotations

import sys

import pytest

from tests.versus.figures import played, table

SHOW = "tests/versus/show.py"

if __name__ == "__main__":
    status = pytest.main(["-q", "-s", "--no-header", "-p", "no:cacheprovider", SHOW, *sys.argv[1:]])
    if not played:
        sys.exit(status or "nothing was played: it needs PostgreSQL (make venv, or DATABASE_URL)")
    print(table(played))
    sys.exit(status)
