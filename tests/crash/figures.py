"""The figures of a run, and their table."""

from __future__ import annotations

from dataclasses import dataclass

from tests.crash.cells import Cell


@dataclass(slots=True)
class Figures:
    """What was measured in one cell."""

    cell: Cell
    end: str = "did not end"
    unknown: int = -1
    duplicates: str = "?"
    late_bytes: int = 0
    faults: str = "?"
    seconds: float = 0.0


#: Of every cell that was played in this run, in order.
played: list[Figures] = []


def table() -> str:
    """Every cell that was played, as text."""
    head = ("struck", "carrier", "query", "end", "unknown", "duplicates", "late bytes", "audit")
    rows = [head, *(_row(figures) for figures in played)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _row(figures: Figures) -> tuple[str, ...]:
    cell = figures.cell
    return (
        f"{'frozen' if cell.frozen else 'killed'} {cell.point}",
        cell.carrier,
        ("lags" if cell.query_lags else "yes") if cell.query else "-",
        figures.end,
        str(figures.unknown),
        figures.duplicates,
        str(figures.late_bytes),
        figures.faults,
    )
