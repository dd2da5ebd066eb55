"""A few cells of the matrix for every run of the suite, and what a late result may still move.

``python -m tests.crash`` plays all cells.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from uuid import UUID

import pytest
from django.db import transaction

from bulksms import clock, states
from bulksms.models import Message
from bulksms.services import dispatch, routing, settlement
from bulksms.services.settlement import Move
from tests.crash.cells import MESSAGES, PER_REQUEST, Cell
from tests.crash.conftest import Open
from tests.crash.play import play

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: Each kind of point, each carrier, with and without a query, killed and frozen: once.
SOME = (
    Cell("after tx1", "loses the answer"),
    Cell("after tx2", "answers"),
    Cell("first byte", "answers", query=True),
    Cell("last byte", "resets"),
    Cell("before tx3", "loses the request", query=True),
    Cell("inside tx3", "processes late", query=True, query_lags=True),
    Cell("inside apply", "answers"),
    Cell("connected", frozen=True),
    Cell("mid request", query=True, frozen=True),
    Cell("inside tx3", query=True, frozen=True),
)


@pytest.mark.parametrize("cell", SOME, ids=str)
def test_a_worker_is_struck(cell: Cell, stage: Open) -> None:
    play(cell, stage(cell))


def test_a_late_result_moves_no_row_that_another_request_carries(stage: Open) -> None:
    """Frozen after a lost request; a person had the rows asked for again meanwhile."""
    cell = Cell("before tx3", "loses the request", frozen=True)
    scene = stage(cell)
    scene.send(MESSAGES)
    late = scene.worker(cell.point, signal.SIGSTOP)
    late.ask("dispatch")
    late.ask("arm")
    late.tell("dispatch")
    late.await_blow(signal.SIGSTOP)
    scene.finish()
    rows = list(Message.objects.filter(status=states.UNKNOWN).values_list("id", flat=True))
    queue_again(rows, scene.campaign_id)
    claimed = dispatch.claim(routing.carrier("main"))
    assert claimed is not None

    late.thaw()
    assert late.hear() == str(PER_REQUEST), "its result is recorded without a complaint"

    carried = Message.objects.filter(submission_id=claimed.submission_id, status=states.SENDING)
    assert sorted(carried.values_list("id", flat=True)) == sorted(rows)
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    prepared = routing.carrier("main").prepare(claimed.batch)
    results = dispatch.submit(routing.carrier("main"), prepared, time.monotonic() + 30)
    dispatch.record(claimed, prepared, results, asked_at)
    scene.finish()
    assert scene.statuses() == Counter({states.DELIVERED: MESSAGES})
    assert scene.accepted() == Counter({1: MESSAGES})
    assert scene.duplicates == (0, 0)
    assert scene.faults() == []


def queue_again(rows: list[UUID], campaign_id: UUID) -> None:
    """What proof, from a query or a person, does to unknown rows."""
    assert len(rows) == PER_REQUEST
    now = clock.now()
    moves = [Move(id_, states.QUEUED, due_at=now) for id_ in rows]
    with transaction.atomic():
        moved = settlement.apply(moves, {campaign_id}, key="test", now=now)
    assert moved.counts[states.QUEUED] == len(rows)
