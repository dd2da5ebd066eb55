"""The rows of a benchmark run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One measured work beside its baseline, both in ``unit``."""

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
    #: Processor time of a message, in microseconds, by group of processes; empty = not measured.
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours_s / self.bare_s

    @property
    def meets_goal(self) -> bool:
        """As it is printed: to two digits."""
        return round(self.ratio, 2) <= self.goal


@dataclass(frozen=True)
class Layer:
    """Processor time that a message costs in one layer, in microseconds."""

    name: str
    python_us: float
    database_us: float


ROWS: list[Row] = []
LAYERS: list[Layer] = []
#: Bytes that a message takes: "stored" in tables and indexes, "wal" written.
SIZES: dict[str, float] = {}


def add(row: Row) -> None:
    ROWS.append(row)


def add_layers(layers: Iterable[Layer]) -> None:
    LAYERS.extend(layers)


def rendered() -> str:
    """The table as text, widest columns first."""
    lines = [
        f"{'work':<54} {'ours':>10} {'bare':>10} {'ratio':>7} {'cpu':>6}"
        f" {'was':>6} {'goal':>6}  note"
    ]
    for row in ROWS:
        was, cpu = ("-" if ratio is None else f"{ratio:.1f}x" for ratio in (row.was, row.cpu_ratio))
        missed = "" if row.meets_goal else "MISSED  "
        ours, bare = (f"{value:>7.3f} {row.unit:<2}" for value in (row.ours_s, row.bare_s))
        lines.append(
            f"{row.work:<54} {ours} {bare} {row.ratio:>6.2f}x"
            f" {cpu:>6} {was:>6} {row.goal:>5.1f}x  {missed}{row.note}"
        )
        lines.append(f"  beside: {row.beside}")
        if row.cpu_us:
            lines.append(f"  processor time per message: {per_message(row)}")
    lines += [
        f"{layer.name:<54} Python {layer.python_us:>5.1f} us, database {layer.database_us:>5.1f} us"
        for layer in LAYERS
    ]
    lines += [f"bytes of a message, {name}: {size:,.0f}" for name, size in SIZES.items()]
    return "\n".join(lines)


def per_message(row: Row) -> str:
    """`web 40 + workers 120 = 160 us`"""
    groups = " + ".join(f"{name} {spent_us:.0f}" for name, spent_us in row.cpu_us.items())
    return f"{groups} = {sum(row.cpu_us.values()):.0f} us"
