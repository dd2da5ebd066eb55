"""The audit on a database in use: it sees one moment, and a hundred times the rows cost no memory."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from django.db import connection, models, transaction
from django.db.models import F
from django.db.utils import InternalError

from bulksms import db, send_bulk, states
from bulksms.models import Campaign, Hold, LedgerEntry, Message, Organisation, Run, Wallet
from bulksms.services import audit
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = 1_000_000


def elsewhere(work: Any, *arguments: Any) -> Future[Any]:
    """Run ``work`` in another thread, on a connection of its own."""

    def run() -> Any:
        try:
            return work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run)


# One moment


def test_what_commits_while_the_audit_runs_is_not_seen_by_half(carrier: FakeCarrier) -> None:
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=make_organisation())
    carrier.run()

    running = audit.results()
    first = next(running)
    elsewhere(Run.objects.update, queued_count=7)  # no such thing: the threads' words follow
    rest = list(running)

    assert not any(result.faults for result in [first, *rest])
