"""Many workers at one campaign, and a claim under a plan that makes other forms take too much."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction

from bulksms import send_bulk, states
from bulksms.models import Message, Submission
from bulksms.services import dispatch, routing
from tests.crash.conftest import Open
from tests.crash.stage import settings_of
from tests.factories import kenyan_numbers, make_organisation

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PROCESSES, THREADS = 4, 5
CROWD = PROCESSES * THREADS
MESSAGES, PER_REQUEST = 10_000, 200


def test_twenty_workers_ask_for_each_of_ten_thousand_once(stage: Open) -> None:
    crowd = settings_of(query=False, per_request=PER_REQUEST, window=CROWD)
    scene = stage(bulksms={**crowd, "SUBMIT_TIMEOUT_S": 30.0}, virtual=False)
    scene.send(MESSAGES)
    workers = [scene.worker() for _ in range(PROCESSES)]

    for worker in workers:
        worker.tell(f"crowd {THREADS}")
    outcomes = [worker.hear() for worker in workers]

    assert outcomes == ["fine"] * PROCESSES, "a deadlock, or worse"
    assert scene.accepted() == Counter({1: MESSAGES})
    assert scene.duplicates == (0, 0)
    assert Submission.objects.count() == MESSAGES // PER_REQUEST
    scene.finish_in_real_time()
    assert scene.statuses() == Counter({states.DELIVERED: MESSAGES})
    assert scene.counters() == scene.statuses()
    assert scene.faults() == []


#: With these PostgreSQL joins the picked rows to the table in a loop.
NESTED_LOOPS = (
    "enable_hashjoin", "enable_mergejoin", "enable_material", "enable_hashagg", "enable_sort",
)  # fmt: skip
ROWS, TAKEN = 2_000, 5


def force_nested_loops() -> None:
    with connection.cursor() as cursor:
        for switch in NESTED_LOOPS:
            cursor.execute(f"SET LOCAL {switch} = off")


def test_a_claim_in_a_nested_loop_takes_what_fits_into_a_request(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, **settings_of(query=False, per_request=TAKEN)}
    settings.BULKSMS["CARRIERS"]["main"]["OPTIONS"]["url"] = "http://127.0.0.1:9/"
    send_bulk(recipients=kenyan_numbers(ROWS), message="Hi", organisation=make_organisation())

    with transaction.atomic():
        force_nested_loops()
        claimed = dispatch.claim(routing.carrier("main"))

    assert claimed is not None
    assert len(claimed.rows) == TAKEN
    assert Message.objects.filter(status=states.SENDING).count() == TAKEN


def test_the_form_that_we_do_not_use_takes_more() -> None:
    """Should this fail one day, the test above proves nothing any more."""
    send_bulk(recipients=kenyan_numbers(ROWS), message="Hi", organisation=make_organisation())
    table = Message._meta.db_table

    with transaction.atomic(), connection.cursor() as cursor:
        force_nested_loops()
        cursor.execute(
            f"UPDATE {table} SET status = 'sending' WHERE id IN (SELECT id FROM {table} "
            f"WHERE status = 'queued' ORDER BY due_at, id LIMIT {TAKEN} FOR UPDATE SKIP LOCKED)"
        )
        taken = cursor.rowcount
        transaction.set_rollback(True)

    assert taken > TAKEN
