"""Hypothesis' side: it draws how an example begins and what happens in it, and shrinks failures."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.soak.deeds import DEEDS
from tests.soak.deeds.registry import Deed
from tests.soak.play import STARTS, Player, opening
from tests.soak.watch import PreparedAudit
from tests.soak.world import Start

#: Where the plan of a failing example is written.
FAILURE = Path(os.environ.get("SOAK_FAILURE", "soak-failure.json"))

starts = st.builds(Start, **{name: draw.strategy for name, draw in STARTS.items()})


class Soak(RuleBasedStateMachine):
    """A rule for each deed; see play.py for what is checked after it."""

    audit: ClassVar[PreparedAudit]
    #: Over all examples.
    figures: ClassVar[Counter[str]] = Counter()

    player: Player | None = None
    failed = False

    @initialize(start=starts)
    def begin(self, start: Start) -> None:
        self.player = Player(start, self.audit)
        for name, given in opening(start):
            self.do(name, **given)

    def do(self, name: str, /, **given: Any) -> None:
        assert self.player is not None
        try:
            self.player.do(name, **given)
        except BaseException:
            self.fail()
            raise

    @rule()
    def try_forbidden(self) -> None:
        assert self.player is not None
        try:
            self.player.try_forbidden()
        except BaseException:
            self.fail()
            raise

    def fail(self) -> None:
        """Keep the plan: the last one written is the smallest failing example."""
        assert self.player is not None
        self.failed = True
        FAILURE.write_text(self.player.world.as_plan())
        note(f"play it again: python -m tests.soak --plan {FAILURE}")

    def teardown(self) -> None:
        player = self.player
        if player is None:
            return
        try:
            if not self.failed:
                try:
                    player.finish()
                except BaseException:
                    self.fail()
                    raise
                type(self).figures.update(player.world.figures)
        finally:
            player.close()


def _add(deed: Deed) -> None:
    def run(self: Soak, **given: Any) -> None:
        self.do(deed.name, **given)

    run.__name__ = deed.name
    drawn = {name: draw.strategy for name, draw in deed.drawn_from.items()}
    setattr(Soak, deed.name, rule(**drawn)(run))


for found in DEEDS.values():
    _add(found)
