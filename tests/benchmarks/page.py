"""docs/reference/performance.md: the table of one whole run, in words that a reader can check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks import machine
from tests.benchmarks.layout import MAX_BATCH, THREADS, WORKERS
from tests.benchmarks.table import Layer, Row

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "performance.md"

HEAD = """\
<!-- Written by `make bench` from one run. Run it again instead of editing. -->

# Performance

Each line is a ratio of two times taken in the same run on the same machine: our work, and beside
it the least that the same rows cost. {verdict}

The machine: {machine}. Both sides of a line use the same server with the same settings.

| work | beside | goal | ratio | figures |
| --- | --- | ---: | ---: | --- |
"""

PROCESSES = """
## Where the time goes

Processor time per message by process, in microseconds, as the kernel counts it: web server,
workers, fake carrier, all of PostgreSQL. The last column is the sum beside that of the other side
(of bare SQL: psycopg and its backend), which does not depend on how many cores there are, as the
ratio above does: bare SQL uses one at a time. Broker and clients are not in it.

| work | {groups} | all | beside the other side |
| --- | {rules} | ---: | ---: |
"""

LAYERS = """
## Layer by layer

Processor time of one message of 10,000 in microseconds, in one process with nothing else to do, in
requests and report bodies of 500; of five rounds the one that took the least. "Ask the carrier" has
the bundled simulator's own work in it.

| layer | Python | database | both |
| --- | ---: | ---: | ---: |
"""

SIZES = """
Its rows and their index entries take {stored} bytes when it is delivered (message and report, right
after; what was overwritten and is not reused yet among them), and {wal} bytes of WAL were written.
"""

TAIL = """
## How it is measured

- A whole life takes real processes on this machine: one web server with threads, {workers} workers
  with {threads} threads each, requests of {max_batch}, and the [simulator](simulator.md), which
  answers and reports at once. The median of three rounds counts. The clock stops when every
  campaign is finished. If the simulator then knows of a duplicate or the audit of a fault, there is
  no figure. (A made-up history has faults of its own: in its wallets and first attempts. Those
  kinds are let pass there.)
- Bare SQL is psycopg on copies of our tables with the same columns and indexes and no constraints,
  in chunks of 500: `tests/benchmarks/bare.py`.
- Intake is the median of five rounds, ours and the COPY in turn.

## Again

```
make bench
```

takes about ten minutes on an idle machine, needs redis-server and rabbitmq-server (it
starts its own), and writes this page if everything was run and passed.
"""


NOTHING: Mapping[str, float] = {}


def write(rows: Sequence[Row], layers: Sequence[Layer], sizes: Mapping[str, float]) -> None:
    PATH.write_text(text(rows, layers, sizes), encoding="utf-8")


def text(
    rows: Sequence[Row], layers: Sequence[Layer] = (), sizes: Mapping[str, float] = NOTHING
) -> str:
    """The whole page."""
    from_processes = [row for row in rows if row.cpu_us]
    return "".join(
        [
            HEAD.format(verdict=_verdict(rows), machine=machine.described()),
            *map(_line, rows),
            *(_processes(from_processes) if from_processes else ()),
            *(_layers(layers) if layers else ()),
            SIZES.format(**{name: f"{size:,.0f}" for name, size in sizes.items()}) if sizes else "",
            TAIL.format(workers=WORKERS, threads=THREADS, max_batch=f"{MAX_BATCH:,}"),
        ]
    )


def _verdict(rows: Sequence[Row]) -> str:
    missed = sum(not row.meets_goal for row in rows)
    if not missed:
        return "All meet their goal."
    return f"{missed} of {len(rows)} **miss** their goal: they say so."


def _line(row: Row) -> str:
    goal = f"{row.goal:.1f}x" + ("" if row.meets_goal else " **missed**")
    figures = [f"{_amount(row.ours_s)} and {_amount(row.bare_s)} {row.unit}", row.note]
    told = "; ".join(filter(None, figures))
    return f"| {row.work} | {row.beside} | {goal} | {row.ratio:.2f}x | {told} |\n"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _processes(rows: Sequence[Row]) -> list[str]:
    groups = list(rows[0].cpu_us)
    head = PROCESSES.format(groups=" | ".join(groups), rules=" | ".join(["---:"] * len(groups)))
    return [head, *(_shares(row, groups) for row in rows)]


def _layers(layers: Sequence[Layer]) -> list[str]:
    python_us = sum(layer.python_us for layer in layers)
    whole = Layer("**all**", python_us, sum(layer.database_us for layer in layers))
    return [LAYERS, *map(_layer, [*layers, whole])]


def _layer(layer: Layer) -> str:
    both_us = layer.python_us + layer.database_us
    return f"| {layer.name} | {layer.python_us:.1f} | {layer.database_us:.1f} | {both_us:.1f} |\n"


def _shares(row: Row, groups: Sequence[str]) -> str:
    shares = " | ".join(f"{row.cpu_us[name]:.0f}" for name in groups)
    beside = "-" if row.cpu_ratio is None else f"{row.cpu_ratio:.1f}x"
    return f"| {row.work} | {shares} | {sum(row.cpu_us.values()):.0f} | {beside} |\n"
