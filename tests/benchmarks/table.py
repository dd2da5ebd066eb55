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
    #: The ratio when this work was first measured; None = it was not.
    was: float | None = None
    #: The same ratio in processor seconds (ours and the database's): steady on a busy machine.
    cpu_ratio: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours_s / self.bare_s


ROWS: list[Row] = []


def add(row: Row) -> None:
    ROWS.append(row)


def rendered() -> str:
    """The table as text, widest columns first."""
    lines = [
        f"{'work':<46} {'ours':>9} {'bare':>9} {'ratio':>7} {'cpu':>6} {'was':>6} {'goal':>6}  note"
    ]
    for row in ROWS:
        was, cpu = ("-" if ratio is None else f"{ratio:.1f}x" for ratio in (row.was, row.cpu_ratio))
        lines.append(
            f"{row.work:<46} {row.ours_s:>7.3f} s {row.bare_s:>7.3f} s {row.ratio:>6.2f}x"
            f" {cpu:>6} {was:>6} {row.goal:>5.1f}x  {row.note}"
        )
        lines.append(f"  beside: {row.beside}")
    return "\n".join(lines)
