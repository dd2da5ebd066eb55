"""The storm: what falls over when, and how the campaign has to end all the same."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from bulksms import states
from tests.chaos.servers import Process, wait_for
from tests.chaos.world import World, stop_nicely

WORKERS = 4
#: Seconds after the start at which each thing falls over, and how long it stays so.
EMPTIED_AT = (2.0, 26.0)
BROKER_DOWN_AT, BROKER_DOWN_S = 4.0, 20.0
DATABASE_DOWN_AT, DATABASE_DOWN_S = 28.0, 3.0
BLOWS_UNTIL = 40.0
BLOW_EVERY_S = (1.0, 2.5)
#: Shorter and longer than a request's time-out and a lease.
FREEZE_S = (0.5, 12.0)
FINISH_S = 150.0
STOP_S = 30.0


@dataclass(slots=True)
class Figures:
    """How one storm ended."""

    broker: str
    seed: int
    down: str
    messages: int
    kills: int = 0
    freezes: int = 0
    abandoned: int = 0
    seconds: float = 0.0
    delivered: int = 0
    unknown: int = 0
    lost: int = -1
    duplicates: str = "?"
    faults: str = "?"
    end: Counter[str] = field(default_factory=Counter)


#: Of every storm of this run.
weathered: list[Figures] = []
#: What other tests of this run measured, a line each.
notes: list[str] = []


class Storm:
    """Strikes one world; every draw comes from its seed."""

    def __init__(self, world: World, messages: int) -> None:
        self._world = world
        self._random = random.Random(world.seed)
        self._frozen: dict[int, tuple[Process, float]] = {}
        down = "silent" if world.seed % 2 else "closed"
        self.figures = Figures(world.broker.name, world.seed, down, messages)
        weathered.append(self.figures)

    def rage(self) -> None:
        started = time.monotonic()
        plan = [(at, self._world.broker.empty) for at in EMPTIED_AT]
        plan += [
            (BROKER_DOWN_AT, self._close_broker),
            (BROKER_DOWN_AT + BROKER_DOWN_S, self._world.gate.open),
            (DATABASE_DOWN_AT, self._world.database.stop_hard),
            (DATABASE_DOWN_AT + DATABASE_DOWN_S, self._world.database.start_again),
        ]
        blow_at = 1.0
        while plan or blow_at < BLOWS_UNTIL:
            now = time.monotonic() - started
            for due in [item for item in plan if item[0] <= now]:
                plan.remove(due)
                due[1]()
            if blow_at <= now and blow_at < BLOWS_UNTIL:
                self._strike()
                blow_at = now + self._random.uniform(*BLOW_EVERY_S)
            self._thaw()
            self._look()
            time.sleep(0.05)
        self._thaw(all_of_them=True)
        wait_for(self._is_finished, self._told(), FINISH_S)
        self.figures.seconds = time.monotonic() - started

    def _is_finished(self) -> bool:
        self._look()
        return self._world.is_finished()

    def _look(self) -> None:
        """A worker ends only by our hand."""
        ended = [worker.log.name for worker in self._world.workers if not worker.is_alive()]
        assert ended == [], f"these ended by themselves: {ended}"

    def _told(self) -> str:
        return f"the campaign's end (seed {self._world.seed})"

    def _close_broker(self) -> None:
        gate = self._world.gate
        if self.figures.down == "silent":
            gate.fall_silent()
        else:
            gate.refuse()

    def _strike(self) -> None:
        """Kill or freeze one of the workers that run."""
        world = self._world
        running = [w for w in world.workers if w.pid not in self._frozen]
        if not running:
            return
        worker = self._random.choice(running)
        if self._random.random() < 0.5:
            worker.close()
            world.workers[world.workers.index(worker)] = world.start_worker()
            self.figures.kills += 1
        else:
            os.kill(worker.pid, signal.SIGSTOP)
            until = time.monotonic() + self._random.uniform(*FREEZE_S)
            self._frozen[worker.pid] = (worker, until)
            self.figures.freezes += 1

    def _thaw(self, *, all_of_them: bool = False) -> None:
        for pid, (_, until) in list(self._frozen.items()):
            if all_of_them or until <= time.monotonic():
                os.kill(pid, signal.SIGCONT)
                del self._frozen[pid]

    # Afterwards

    def stop_all(self) -> list[tuple[int, float]]:
        return [stop_nicely(worker, STOP_S) for worker in self._world.workers]

    def count(self) -> Figures:
        """Compare what we say with what the carrier knows."""
        found, oracle = self._world.deed("look"), self._world.oracle()
        rows = found["rows"]
        figures = self.figures
        figures.abandoned = found["abandoned"]
        figures.end = Counter(status for status, _ in rows.values())
        figures.delivered = figures.end[states.DELIVERED]
        figures.unknown = figures.end[states.UNKNOWN]
        unended = [
            id_ for id_, (status, charge) in rows.items()
            if status not in states.FINAL and (status, charge) != (states.UNKNOWN, states.HELD)
        ]  # fmt: skip
        without_row = {ref[:36] for ref in self._world.accepted_references()} - set(rows)
        figures.lost = len(unended) + len(without_row) + figures.messages - len(rows)
        if oracle["faults"]:
            notes.append(f"seed {figures.seed}: the carrier's own faults {oracle['faults']}")
        twice = oracle["duplicates"]
        figures.duplicates = f"{twice['by_reference']} {twice['by_content']}"
        figures.faults = "; ".join(found["faults"]) or "silent"
        assert found["counters"] == {s: figures.end[s] for s in states.COUNTERS}
        assert oracle["accepted"] == sum(figures.end[s] for s in states.ACCEPTED - {states.EXPIRED})
        return figures
