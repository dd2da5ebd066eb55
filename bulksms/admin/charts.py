"""Charts drawn on the server: numbers in, coordinates for an SVG template out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1080, 240
LEFT, BOTTOM, TOP = 44, 22, 8


@dataclass(frozen=True, slots=True)
class Rect:
    """One piece of a bar; ``name`` is its CSS class."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One moment: its stacked pieces, and what to say about it."""

    title: str
    x: float
    width: float
    rects: Sequence[Rect]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across, or a label below."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Stacked columns with one line over them."""

    columns: Sequence[Column]
    line: str
    across: Sequence[Tick]
    below: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def per_minute(
    starts: Sequence[dt.datetime], series: Mapping[str, Sequence[int]],
    *, stacked: Sequence[str], line: str, zone: dt.tzinfo,
) -> BarChart:  # fmt: skip
    """Columns of ``stacked`` series, and ``line`` as a line; times are told in ``zone``."""
    sums = [sum(series[name][i] for name in stacked) for i in range(len(starts))]
    top = nice(max([1, *sums, *series[line]]))
    floor, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT) / len(starts)

    def up(count: float) -> float:
        return round(floor - room * count / top, 1)

    columns, points, below = [], [], []
    for i, start in enumerate(starts):
        x, told = round(LEFT + i * step, 1), f"{start.astimezone(zone):%H:%M}"
        counts = {name: series[name][i] for name in (line, *stacked)}
        rects, base = [], 0
        for name in stacked:
            if counts[name]:
                high = round(room * counts[name] / top, 1)
                rects.append(
                    Rect(name, x + 1, up(base + counts[name]), round(step - 2, 1), high)
                )  # fmt: skip
                base += counts[name]
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        columns.append(Column(f"{told}: {said}", x, round(step, 1), rects))
        points.append(f"{round(x + step / 2, 1)},{up(counts[line])}")
        if start.minute % 10 == 0:
            below.append(Tick(round(x + step / 2, 1), told))
    across = [Tick(up(top * part / 4), short(top * part / 4)) for part in range(5)]
    return BarChart(columns, " ".join(points), across, below)


def nice(most: int) -> int:
    """The smallest of 4, 8, 12, 20, 40, 60, 80, 120, 200 ... not below ``most``."""
    size = 4
    while True:
        for top in (size, size * 3 // 2, size * 2, size * 3, size * 5):
            if top >= most and top % 4 == 0:  # four lines divide it
                return top
        size *= 10


def short(count: float) -> str:
    """ "1.2k" for an axis."""
    if count >= 1_000_000:
        return f"{count / 1_000_000:g}M"
    return f"{count / 1_000:g}k" if count >= 1_000 else f"{count:g}"


def scaled(value: float | None, most: float, width: float = 100.0) -> float:
    """``value`` on a bar of ``width`` that ``most`` would fill."""
    return round(width * (value or 0) / most, 1) if most else 0.0
