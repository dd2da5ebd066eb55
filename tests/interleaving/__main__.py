"""``python -m tests.interleaving``: every pair, every schedule with at most two preemptions.

``--every N`` plays each N-th of them; ``PAIR [SCHEDULE]`` plays one pair (``hold-and-hold``), or one
schedule of it (``1:3,7``), as a failure names it.
"""

from __future__ import annotations

import argparse
import os
import sys

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interleaving", description=__doc__)
    parser.add_argument("pair", nargs="?", default="")
    parser.add_argument("schedule", nargs="?", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--preemptions", type=int, default=2)
    wanted = parser.parse_args()
    os.environ |= {
        "INTERLEAVING_EVERY": str(wanted.every),
        "INTERLEAVING_PREEMPTIONS": str(wanted.preemptions),
        "INTERLEAVING_SCHEDULE": wanted.schedule,
    }
    target = "tests/interleaving/runs.py"
    if wanted.pair:
        target += f"::test_no_interleaving_breaks_anything[{wanted.pair.replace('-', ' ')}]"
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", target])
    from tests.interleaving.runs import played  # needs the settings that pytest has made

    print(f"\n{'pair':<28}{'schedules':>10}{'seconds':>9}")
    for name, count, seconds in played:
        print(f"{name:<28}{count:>10}{seconds:>9.1f}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
