"""Plays one cell and says how it ended; the assertions of every cell stand here."""

from __future__ import annotations

import signal
import time
from collections import Counter

from bulksms import states
from bulksms.carriers.transport import PIECE_BYTES
from bulksms.services import reports
from tests.crash.cells import APPLY_POINTS, BYTE_POINTS, MID_REQUEST, Cell
from tests.crash.figures import Figures, played
from tests.crash.stage import SUBMIT_TIMEOUT_S, Stage, Worker, wait_until


def play(cell: Cell, stage: Stage) -> None:
    """Strike a worker at the cell's point, let a healthy one finish, and compare with the table."""
    figures, started = Figures(cell), time.monotonic()
    played.append(figures)
    stage.send(cell.messages, cell.text)
    with_worker = strike(cell, stage)
    stage.finish()
    if cell.frozen:
        figures.late_bytes = wake(with_worker, stage)
        stage.finish()
    check_end(cell, stage, figures)
    figures.seconds = time.monotonic() - started


def strike(cell: Cell, stage: Stage) -> Worker:
    """One healthy request; then the worker is struck."""
    blow = signal.SIGSTOP if cell.frozen else signal.SIGKILL
    worker = stage.worker(cell.point, blow)
    assert worker.ask("dispatch") == str(cell.per_request)
    if cell.point in APPLY_POINTS:
        asked = cell.per_request
        while asked < cell.messages:  # a carrier that says nothing is asked slowly
            stage.pass_time(10)
            asked += int(worker.ask("dispatch-all"))
        assert asked == cell.messages
        stage.pass_time(10)
    if cell.point in BYTE_POINTS:
        stage.proxy.strike_at(cell.point, lambda: worker.strike(blow))
        worker.tell("dispatch")
        assert worker.is_struck.wait(30)
    else:
        worker.ask("arm")
        worker.tell("apply" if cell.point in APPLY_POINTS else "dispatch")
        worker.await_blow(blow)
    return worker


def wake(worker: Worker, stage: Stage) -> int:
    """Let a frozen worker go on after its deadline; returns how many bytes it still sent."""
    wait_until(worker.struck_at + SUBMIT_TIMEOUT_S + 0.1)
    woken = time.monotonic()
    worker.thaw()
    worker.hear()
    return stage.proxy.bytes_after(woken)


def check_end(cell: Cell, stage: Stage, figures: Figures) -> None:
    statuses, accepted = stage.statuses(), stage.accepted()
    figures.unknown = statuses[states.UNKNOWN]
    figures.duplicates = "{} {}".format(*stage.duplicates)
    figures.end = told(statuses)
    figures.faults = told_faults(stage)
    assert stage.duplicates == (0, 0)
    # Half of a request on its way: the rest of one piece may follow, never the request's last byte.
    allowed = PIECE_BYTES if cell.point == MID_REQUEST else 0
    assert figures.late_bytes <= allowed, "bytes left after the deadline"
    assert figures.faults == "silent"
    unknown = expected_unknown(cell, figures)
    assert statuses == +Counter(
        {states.DELIVERED: cell.messages - unknown, states.UNKNOWN: unknown}
    )
    assert accepted == +Counter({1: cell.messages - unknown, 0: unknown})
    assert stage.counters() == statuses
    if unknown:
        check_deadline(cell, unknown, stage, figures)


def expected_unknown(cell: Cell, figures: Figures) -> int:
    """The table's number; frozen at the first byte, the rest may have left or not."""
    if cell.frozen and cell.point == "first byte" and not cell.query:
        assert figures.unknown in (0, cell.per_request)
        return figures.unknown
    return cell.unknown


def check_deadline(cell: Cell, unknown: int, stage: Stage, figures: Figures) -> None:
    """What nobody can know ends at its deadline, with its money."""
    stage.reach_deadline()
    statuses = stage.statuses()
    figures.end += f", then {statuses[states.UNCONFIRMED]} unconfirmed"
    figures.faults = told_faults(stage)
    assert figures.faults == "silent"
    assert statuses == {
        states.DELIVERED: cell.messages - unknown, states.UNCONFIRMED: unknown
    }  # fmt: skip
    assert stage.counters() == statuses
    assert reports.apply_once() == 0


def told(statuses: Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))


def told_faults(stage: Stage) -> str:
    return "; ".join(stage.faults()) or "silent"
