"""Both houses at once: the same messages, the same carrier, the same misfortune."""

from __future__ import annotations

import datetime as dt
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.proxy import Proxy
from tests.crash.stage import Nursery, Worker
from tests.factories import kenyan_numbers
from tests.versus import ours, theirs
from tests.versus.carrier import Carrier, open_carrier
from tests.versus.clock import shared
from tests.versus.figures import Entry, Figures, measure

TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec."
LOOK_S = 0.1
#: A worker of each house is killed in the request that ends this part of the work.
STRIKE_AFTER = 0.4


@dataclass(frozen=True, slots=True)
class Plan:
    """How big, and how bad."""

    messages: int
    #: Messages in one request: an SDK call of theirs, a submission of ours.
    chunk: int
    workers: int
    seed: int
    #: Percent of the requests whose answer is lost: the connection is reset, or stays silent.
    reset: float
    silent: float
    #: Of our clock. The carrier's, and theirs, is the machine's.
    clock_speed: float = 1.0
    timeout_s: float = 80.0

    @property
    def fatal_request(self) -> int:
        """Which request of a house costs its worker's life, from 1."""
        return max(1, round(self.messages / self.chunk * STRIKE_AFTER))

    def rules(self) -> Sequence[Mapping[str, Any]]:
        """The simulator's. A request that was unlucky once is answered when it is asked again."""
        lost = (("reset", self.reset), ("silence", self.silent))
        return [
            {"name": "a carrier's usual pace", "latency": [0.05, 0.2]},
            *(
                {"name": how, "match": {"share": share}, "lose_answer": {"how": how, "tries": 1}}
                for how, share in lost
                if share
            ),
        ]


class Axe:
    """SIGKILL for the worker whose request is the ``fatal``-th of its house, from 1.

    Every worker's requests pass a proxy of its own: it tells when one is wholly with the carrier.
    """

    def __init__(self, fatal: int) -> None:
        self._left, self._lock = fatal, threading.Lock()
        #: The process that was killed, or 0.
        self.killed_pid = 0

    def watch(self, proxy: Proxy, worker: Worker) -> None:
        """Count the next request through ``proxy``, and strike if it is the one."""
        proxy.strike_at("last byte", lambda: self._strike(proxy, worker))

    def _strike(self, proxy: Proxy, worker: Worker) -> bool:
        """Whether the worker is dead."""
        with self._lock:
            self._left -= 1
            is_fatal = self._left == 0
        if not is_fatal:
            self.watch(proxy, worker)
            return False
        self.killed_pid = worker.pid
        return worker.strike(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class House:
    """One of the two, with its carrier."""

    name: str
    #: Takes numbers, a text, and how many go into a request.
    send: Callable[[Sequence[str], str, int], None]
    is_done: Callable[[], bool]
    books: Callable[[], Mapping[str, Entry]]
    carrier: Carrier
    axe: Axe


class Contest:
    """The course of one contest; ``say`` takes lines for people."""

    def __init__(self, plan: Plan, houses: Sequence[House], say: Callable[[str], None]) -> None:
        self._plan, self._houses, self._say = plan, houses, say
        self._numbers = kenyan_numbers(plan.messages)
        #: How many messages from one line to the next, and the last line of each house.
        self._step = max(1, plan.messages // 10)
        self._shown: Counter[str] = Counter()
        self._width = max(len(house.name) for house in houses)
        self._told: set[tuple[str, str]] = set()

    def play(self) -> list[Figures]:
        """Send, and wait until both have nothing left to do; what became of it, in their order."""
        for house in self._houses:
            house.send(self._numbers, TEXT, self._plan.chunk)
        started = time.monotonic()
        while not all(house.is_done() for house in self._houses):
            seconds = time.monotonic() - started
            if seconds > self._plan.timeout_s:
                self._say(f"not done after {self._plan.timeout_s:.0f} s; measured as they are")
                break
            self._look(seconds)
            time.sleep(LOOK_S)
        self._look(time.monotonic() - started)
        return [self._measure(house) for house in self._houses]

    def _look(self, seconds: float) -> None:
        """Tell how far they are, who fell, and who is done."""
        for house in self._houses:
            taken = house.carrier.summary()["accepted"]
            if taken // self._step > self._shown[house.name]:
                self._shown[house.name] = taken // self._step
                self._tell(seconds, house, f"{taken} taken by the carrier")
            if house.axe.killed_pid:
                self._tell(seconds, house, f"worker {house.axe.killed_pid} killed in mid-request")
            if house.is_done():
                self._tell(seconds, house, "nothing left to do")

    def _tell(self, seconds: float, house: House, news: str) -> None:
        """Once."""
        if (house.name, news) not in self._told:
            self._told.add((house.name, news))
            self._say(f"{seconds:5.1f} s  {house.name:<{self._width}}  {news}")

    def _measure(self, house: House) -> Figures:
        if not house.axe.killed_pid:
            raise RuntimeError(f"{house.name}: nobody was killed")
        return measure(house.name, self._numbers, house.carrier.truth(), house.books())


@contextmanager
def open_contest(
    plan: Plan, nursery: Nursery, settings: Any, folder: Path, say: Callable[[str], None]
) -> Iterator[Contest]:
    """Everything up, nothing sent yet; ``settings`` are pytest-django's."""
    with ExitStack() as cleanup:
        shared.start, shared.speed = dt.datetime.now(dt.UTC), plan.clock_speed
        theirs.uninstall()
        theirs.install()
        cleanup.callback(theirs.uninstall)
        carriers = [_carrier(cleanup, plan, folder / name) for name in ("theirs", "ours")]
        settings.BULKSMS = ours.settings_for(carriers[1].url, plan.chunk)
        houses = [
            _house(cleanup, plan, nursery, module, carrier)
            for module, carrier in zip((theirs, ours), carriers, strict=True)
        ]
        yield Contest(plan, houses, say)


def _carrier(cleanup: ExitStack, plan: Plan, folder: Path) -> Carrier:
    folder.mkdir()
    return cleanup.enter_context(open_carrier(folder, plan.seed, plan.rules()))


def _house(
    cleanup: ExitStack, plan: Plan, nursery: Nursery, module: Any, carrier: Carrier
) -> House:
    """Start its workers, each with a proxy between it and the carrier."""
    address = ("127.0.0.1", int(carrier.url.rpartition(":")[2]))
    order = {
        "deeds": "tests.versus.deeds", "house": module.NAME, "chunk": plan.chunk,
        "clock_start": shared.start.isoformat(), "clock_speed": shared.speed,
    }  # fmt: skip
    axe = Axe(plan.fatal_request)
    for _ in range(plan.workers):
        proxy = cleanup.enter_context(Proxy(address))
        worker = cleanup.enter_context(_worker(nursery, {**order, "url": proxy.url}))
        axe.watch(proxy, worker)
    return House(module.NAME, module.send, module.is_done, module.books, carrier, axe)


@contextmanager
def _worker(nursery: Nursery, order: Mapping[str, Any]) -> Iterator[Worker]:
    worker = Worker(nursery, order)
    try:
        yield worker
    finally:
        worker.close()
