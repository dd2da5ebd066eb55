"""The list of deeds, and what each may be called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from bulksms.exceptions import BulkSmsError
from tests.soak.world import World

Work = Callable[..., None]


@dataclass(frozen=True)
class Deed:
    """One thing that may happen: what it does and what it is drawn from (plain values)."""

    name: str
    work: Work
    drawn_from: dict[str, st.SearchStrategy[Any]]


DEEDS: dict[str, Deed] = {}

#: Which of several things (campaigns, messages, workers): taken modulo how many there are.
which = st.integers(0, 11)
ours = st.integers(0, 1)
houses = st.sampled_from(["main", "second"])


def deed(**drawn_from: st.SearchStrategy[Any]) -> Callable[[Work], Work]:
    """Add a function ``(world, **drawn)`` to the list."""

    def add(work: Work) -> Work:
        name = work.__name__
        assert name not in DEEDS, name
        DEEDS[name] = Deed(name, work, drawn_from)
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
