"""What became of the messages of a house: the carrier's truth beside the house's own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

MICROS_PER_CENT = 10_000
#: What a house says of a message. OPEN is no answer: whoever looks has to find out by hand.
SENT, FAILED, UNKNOWN, OPEN = "sent", "failed", "unknown", "open"


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in a house's books."""

    says: str
    #: Spent on it, and set aside for it as long as nobody knows.
    spent_micros: int = 0
    held_micros: int = 0


NOTHING = Entry(OPEN)


@dataclass(slots=True)
class Truth:
    """What a carrier did, by number."""

    accepted: Counter[str] = field(default_factory=Counter)
    charged_micros: Counter[str] = field(default_factory=Counter)

    def add(self, number: str, price: str) -> None:
        """An accepted message and its price, "KES 0.8000"."""
        self.accepted[number] += 1
        self.charged_micros[number] += int(Decimal(price.rpartition(" ")[2]) * 1_000_000)


@dataclass(frozen=True, slots=True)
class Figures:
    """One row of the table."""

    house: str
    messages: int
    #: Messages that the carrier took, and how often it took one more than once.
    accepted: int
    duplicates: int
    #: Never taken, and the house believes otherwise or has no answer.
    lost: int
    #: The house says that it does not know, and keeps the money aside.
    unknown: int
    #: The carrier's charge against what was spent or is held for it, message by message.
    unexplained_micros: int

    @property
    def unexplained_cents(self) -> int:
        return self.unexplained_micros // MICROS_PER_CENT

    @property
    def is_clean(self) -> bool:
        return not (self.duplicates or self.lost or self.unexplained_micros)


#: Of this run, in order.
played: list[Figures] = []


def measure(
    house: str, numbers: Sequence[str], truth: Truth, books: Mapping[str, Entry]
) -> Figures:
    """Compare, message by message; ``books`` are by number, and may lack some."""
    entries = {number: books.get(number, NOTHING) for number in numbers}
    times = [truth.accepted[number] for number in numbers]
    return Figures(
        house=house,
        messages=len(numbers),
        accepted=sum(1 for count in times if count),
        duplicates=sum(1 for count in times if count > 1),
        lost=sum(
            1
            for number, entry in entries.items()
            if not truth.accepted[number] and entry.says in (SENT, OPEN)
        ),
        unknown=sum(1 for entry in entries.values() if entry.says == UNKNOWN),
        unexplained_micros=sum(
            _unexplained(truth.charged_micros[number], entry) for number, entry in entries.items()
        ),
    )


def _unexplained(charged_micros: int, entry: Entry) -> int:
    """What the carrier charged beyond what is spent or held, or what was spent on nothing."""
    most = entry.spent_micros + entry.held_micros
    return max(0, charged_micros - most, entry.spent_micros - charged_micros)


HEAD = ("house", "accepted", "duplicates", "lost", "unknown", "unexplained cents")


def table(rows: Sequence[Figures]) -> str:
    """The rows, drawn."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    rule = "+".join("-" * (width + 2) for width in widths)
    head, *body = [
        "|".join(
            f" {cell:<{width}} " if not i else f" {cell:>{width}} "
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join(f"{edge}{line}{edge}" for edge, line in [
        ("+", rule), ("|", head), ("+", rule), *(("|", line) for line in body), ("+", rule),
    ])  # fmt: skip


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.house, f"{row.accepted:,}", f"{row.duplicates:,}", f"{row.lost:,}",
        f"{row.unknown:,}", f"{row.unexplained_cents:,}",
    )  # fmt: skip
