"""Whole examples: drawn by a seed, read from a plan file, made as short as it still fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from traceback import extract_tb

from tests.soak.deeds import DEEDS
from tests.soak.play import FORBIDDEN, STARTS, Happened, Player, opening
from tests.soak.watch import PreparedAudit
from tests.soak.world import Start, World, read_plan


def play(path: Path, audit: PreparedAudit) -> Counter[str]:
    """Play a plan file to its end."""
    return _play(*read_plan(path), audit)


def _play(start: Start, steps: Sequence[Happened], audit: PreparedAudit) -> Counter[str]:
    player = Player(start, audit)
    try:
        for name, given in steps:
            player.do(name, **given)
        player.finish()
        return player.world.figures
    finally:
        player.close()


def walk(seed: int, steps: int, audit: PreparedAudit, failure: Path) -> Counter[str]:
    """An example of deeds drawn by ``seed`` alone; its plan is written down if it breaks."""
    random = Random(seed)
    start = Start(**{name: draw.pick(random) for name, draw in STARTS.items()})
    names = [*DEEDS, FORBIDDEN]
    weights = [*(deed.weight for deed in DEEDS.values()), 1]
    player = Player(start, audit)
    try:
        for name, given in opening(start):
            player.do(name, **given)
        for name in random.choices(names, weights, k=steps):
            player.do(name, **(DEEDS[name].draw(random) if name in DEEDS else {}))
        player.finish()
    except BaseException as error:
        failure.write_text(player.world.as_plan())
        error.add_note(f"seed {seed}; play it again: python -m tests.soak --plan {failure}")
        raise
    finally:
        player.close()
    return player.world.figures


def shrink(path: Path, audit: PreparedAudit) -> None:
    """Take out of a failing plan what it fails the same way without, and write it back."""
    start, steps = read_plan(path)
    wanted = _failure(start, steps, audit)
    assert wanted, "the plan does not fail"
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            fewer = [*steps[:at], *steps[at + size :]]
            if _failure(start, fewer, audit) == wanted:
                steps = fewer
            else:
                at += size
        size //= 2
    world = World(start, log=steps)
    path.write_text(world.as_plan())


def _failure(start: Start, steps: Sequence[Happened], audit: PreparedAudit) -> str:
    """What breaks: the place in the code, or "" """
    try:
        _play(start, steps, audit)
    except Exception as error:  # noqa: BLE001 - whatever it is
        last = extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {last.name}, line {last.lineno}"
    return ""
