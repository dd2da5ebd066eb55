"""The rows of a benchmark run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured work beside its baseline; times in seconds."""

    work: str
    ours_s: float
    beside: str
    bare_s: float
    goal: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours_s / self.bare_s


ROWS: list[Row] = []


def add(row: Row) -> None:
    ROWS.append(row)


def rendered() -> str:
    """The table as text, widest columns first."""
    lines = [f"{'work':<46} {'ours':>9} {'bare':>9} {'ratio':>7} {'goal':>6}  note"]
    for row in ROWS:
        lines.append(
            f"{row.work:<46} {row.ours_s:>7.3f} s {row.bare_s:>7.3f} s {row.ratio:>6.2f}x"
            f" {row.goal:>5.1f}x  {row.note}"
        )
        lines.append(f"  beside: {row.beside}")
    return "\n".join(lines)
