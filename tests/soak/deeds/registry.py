"""The list of deeds, and what each may be called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from bulksms.exceptions import BulkSmsError
from tests.soak.world import World

Work = Callable[..., None]


@dataclass(frozen=True)
class Draw:
    """Values to draw from: by Hypothesis, which shrinks, or by a seeded generator."""

    strategy: st.SearchStrategy[Any]
    pick: Callable[[Random], Any]


def integers(least: int, most: int) -> Draw:
    return Draw(st.integers(least, most), lambda random: random.randint(least, most))


def one_of(values: Sequence[Any]) -> Draw:
    """The same value more than once is drawn more often."""
    return Draw(st.sampled_from(values), lambda random: random.choice(values))


def lists(of: Draw, least: int, most: int) -> Draw:
    return Draw(
        st.lists(of.strategy, min_size=least, max_size=most),
        lambda random: [of.pick(random) for _ in range(random.randint(least, most))],
    )


def pairs(first: Draw, second: Draw) -> Draw:
    return Draw(
        st.tuples(first.strategy, second.strategy).map(list),
        lambda random: [first.pick(random), second.pick(random)],
    )


@dataclass(frozen=True)
class Deed:
    """One thing that may happen: what it does and what it is drawn from (plain values)."""

    name: str
    work: Work
    drawn_from: dict[str, Draw]
    #: How often it happens, compared with the others.
    weight: int

    def draw(self, random: Random) -> dict[str, Any]:
        return {name: draw.pick(random) for name, draw in self.drawn_from.items()}


DEEDS: dict[str, Deed] = {}

#: Which of several things (campaigns, messages, workers): taken modulo how many there are.
which = integers(0, 11)
ours = one_of([0, 1])
houses = one_of(["main", "main", "second"])
yes_or_no = one_of([False, True])


def deed(*, weight: int = 1, **drawn_from: Draw) -> Callable[[Work], Work]:
    """Add a function ``(world, **drawn)`` to the list."""

    def add(work: Work) -> Work:
        name = work.__name__
        assert name not in DEEDS, name
        DEEDS[name] = Deed(name, work, drawn_from, weight)
        return work

    return add


@contextmanager
def may_be_refused(world: World) -> Iterator[None]:
    """The app may say no; then nothing may have changed (an invariant looks)."""
    try:
        yield
    except BulkSmsError as error:
        world.nothing_may_change = True
        world.note(f"refused: {error.code}")
