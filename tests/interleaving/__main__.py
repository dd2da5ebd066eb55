"""``python -m tests.interleaving``: every pair, every schedule with at most two preemptions.

``--every N`` plays each N-th of them; ``PAIR [SCHEDULE]`` plays one pair (``hold-and-hold``), or
one schedule of it (``1:3,7``), as a failure names it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interleaving", description=__doc__)
    parser.add_argument("pair", nargs="?", default="")
    parser.add_argument("schedule", nargs="?", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--preemptions", type=int, default=2)
    parser.add_argument("--parts", type=int, default=1, help="processes")
    wanted = parser.parse_args()
    os.environ |= {
        "INTERLEAVING_EVERY": str(wanted.every),
        "INTERLEAVING_PREEMPTIONS": str(wanted.preemptions),
        "INTERLEAVING_SCHEDULE": wanted.schedule,
    }
    target = "tests/interleaving/runs.py"
    if wanted.pair:
        target += f"::test_no_interleaving_breaks_anything[{wanted.pair.replace('-', ' ')}]"
    workers = ["-n", str(wanted.parts)] if wanted.parts > 1 else []
    with tempfile.TemporaryDirectory(prefix="bulksms-interleaving-") as folder:
        os.environ["INTERLEAVING_FOLDER"] = folder
        status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *workers, target])
        print(f"\n{'pair':<28}{'schedules':>10}{'seconds':>9}")
        for path in sorted(Path(folder).iterdir()):
            count, seconds = path.read_text().split()
            print(f"{path.name:<28}{count:>10}{seconds:>9}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
