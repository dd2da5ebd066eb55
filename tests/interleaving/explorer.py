"""Two actors, a connection and a thread each, of which one at a time goes one statement further.

A schedule says who begins and after which steps the other one gets its turn (a preemption). Whoever
must wait for a lock lets the other one go on; the database is asked who waits, so nothing here
depends on how fast the machine is. Needs PostgreSQL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from django.db import connection

#: Statements that touch no row and no lock: no boundary of interest lies before them.
QUIET = ("SAVEPOINT", "RELEASE SAVEPOINT", "SET ", "SHOW ", "SELECT set_config")
#: Nothing that an actor does takes so long.
PATIENCE_S = 30.0
#: How long an actor may be busy before the database is asked whether it waits for a lock.
LOOK_S = 0.004

WAITING, BUSY, DONE = "waiting", "busy", "done"


@dataclass
class Schedule:
    """Who begins, and before which steps (counted from 0, over both) the other one takes over."""

    first: int
    preemptions: tuple[int, ...] = ()

    def __str__(self) -> str:
        at = ",".join(map(str, self.preemptions))
        return f"{self.first}:{at}"


@dataclass
class Actor:
    """A piece of work in a thread of its own, held at each of its statements."""

    name: str
    work: Callable[[], Any]
    moment: threading.Condition
    state: str = BUSY
    pid: int = 0
    error: BaseException | None = None
    granted: bool = False
    statements: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            connection.ensure_connection()
            self.pid = connection.connection.info.backend_pid
            self.really_commit = connection.commit
            connection.commit = self._commit  # type: ignore[method-assign]
            with connection.execute_wrapper(self._execute):
                self.work()
        except BaseException as error:  # noqa: BLE001 - the explorer's caller looks at it
            self.error = error
        finally:
            connection.close()
            del connection.commit
            self._set(DONE)

    def _execute(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if not sql.lstrip().startswith(QUIET):
            self._wait_for_turn(sql)
        return execute(sql, params, many, context)

    def _commit(self) -> None:
        self._wait_for_turn("COMMIT")
        self.really_commit()

    def _wait_for_turn(self, what: str) -> None:
        self.statements.append(" ".join(what.split())[:60])
        with self.moment:
            self.state = WAITING
            self.moment.notify_all()
            if not self.moment.wait_for(lambda: self.granted, PATIENCE_S):
                raise TimeoutError(f"{self.name} was forgotten")
            self.granted, self.state = False, BUSY

    def _set(self, state: str) -> None:
        with self.moment:
            self.state = state
            self.moment.notify_all()


def play(works: tuple[Callable[[], Any], Callable[[], Any]], schedule: Schedule) -> list[Actor]:
    """Run both to their ends by the schedule; returns the actors, with errors and statements."""
    moment = threading.Condition()
    actors = [Actor(f"actor {number}", work, moment) for number, work in enumerate(works)]
    for actor in actors:
        actor.start()
    current, step = schedule.first, 0
    while True:
        blocked = _settle(actors, moment)
        ready = [actor.state == WAITING for actor in actors]
        if not any(ready):
            if blocked:
                continue  # a deadlock: the database ends one of them within a second
            break
        if step in schedule.preemptions:
            current = 1 - current
        current = current if ready[current] else 1 - current
        with moment:
            actors[current].granted = True
            actors[current].state = BUSY
            moment.notify_all()
        step += 1
    for actor in actors:
        actor.thread.join(PATIENCE_S)
    return actors


def _settle(actors: list[Actor], moment: threading.Condition) -> list[Actor]:
    """Wait until nobody is busy but who waits for a lock; returns those."""
    while True:
        with moment:
            moment.wait_for(lambda: all(a.state != BUSY for a in actors), LOOK_S)
            busy = [actor for actor in actors if actor.state == BUSY]
        if not busy:
            return []
        blocked = _blocked()
        if all(actor.pid in blocked and actor.state == BUSY for actor in busy):
            return busy


def _blocked() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_locks WHERE NOT granted")
        return {int(pid) for (pid,) in cursor.fetchall()}


def schedules(steps: int, preemptions: int) -> Iterator[Schedule]:
    """All of them with at most so many preemptions, the plainest first."""
    for count in range(preemptions + 1):
        for first in (0, 1):
            for at in combinations(range(1, steps), count):
                yield Schedule(first, at)
