"""``python -m tests.chaos``: RUNS storms in a row (1), then how each ended.

SEED chooses the first one's seed; arguments are pytest's.
"""

from __future__ import annotations

import sys

import pytest

from tests.chaos.storm import Figures, notes, weathered

WHOLE = ("tests/chaos/storms.py", "tests/chaos/stops.py", "tests/chaos/ticks.py")
HEAD = (
    "seed", "broker", "down", "kills", "freezes", "abandoned", "seconds", "delivered", "unknown",
    "lost", "duplicates", "audit", "end",
)  # fmt: skip


def table() -> str:
    rows = [HEAD, *(_row(figures) for figures in weathered)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(figures: Figures) -> tuple[str, ...]:
    share = f"{figures.delivered} ({figures.delivered / figures.messages:.1%})"
    end = ", ".join(f"{count} {status}" for status, count in sorted(figures.end.items()))
    return (
        str(figures.seed), figures.broker, f"20 s {figures.down}", str(figures.kills),
        str(figures.freezes), str(figures.abandoned), f"{figures.seconds:.0f}", share,
        str(figures.unknown), str(figures.lost), figures.duplicates, figures.faults, end,
    )  # fmt: skip


if __name__ == "__main__":
    options = ["-q", "-p", "no:cacheprovider", "--show-capture=no"]
    status = pytest.main([*options, *WHOLE, *sys.argv[1:]])
    print("\n".join([*notes, table()]))
    sys.exit(status)
