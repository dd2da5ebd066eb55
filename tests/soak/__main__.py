"""``python -m tests.soak --minutes 10``: bad days with fresh seeds, then the figures.

``--seed N`` begins with that seed. ``--plan FILE`` plays one example again, as it was written when
it failed; with ``--shrink`` whatever is not needed is first taken out of the file. Exits 1 when
anything broke or, in ten minutes, something that should have happened never did.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest


def main() -> int:
    wanted = _arguments()
    with tempfile.TemporaryDirectory(prefix="bulksms-soak-") as folder:
        os.environ |= {
            "SOAK_SEED": str(wanted.seed), "SOAK_MINUTES": str(wanted.minutes),
            "SOAK_PARTS": str(wanted.parts), "SOAK_FOLDER": folder,
            "SOAK_FAILURE": str(Path("soak-failure.json").resolve()),
            "SOAK_PLAN": wanted.plan and str(Path(wanted.plan).resolve()),
            "SOAK_SHRINK": "yes" if wanted.shrink else "",
        }  # fmt: skip
        print(f"seed {wanted.seed}, {wanted.parts} at a time", flush=True)
        started = time.monotonic()
        workers = ["-n", str(wanted.parts)] if wanted.parts > 1 and not wanted.plan else []
        status = pytest.main(
            ["-q", "--no-header", "-p", "no:cacheprovider", *workers, "tests/soak/soak.py"]
        )
        if wanted.plan:
            print("FAILED: the plan breaks" if status else "PASSED: the plan holds")
        elif status:
            print("FAILED: an example broke; its plan is named above")
        else:
            return _report(Path(folder), time.monotonic() - started, wanted.minutes)
        return int(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--parts", type=int, default=2, help="processes")
    parser.add_argument("--plan", default="", help="an example to play again")
    parser.add_argument("--shrink", action="store_true", help="make the plan as short as it goes")
    return parser.parse_args()


def _report(folder: Path, seconds: float, minutes: float) -> int:
    from tests.soak import figures  # needs the settings that pytest has made

    found = figures.read(folder)
    strict = minutes >= figures.FULL_MINUTES
    print("\n".join(figures.lines(found)))
    print("\n".join(figures.verdict(found, seconds, strict=strict)))
    return 1 if strict and figures.missing(found) else 0


if __name__ == "__main__":
    sys.exit(main())
