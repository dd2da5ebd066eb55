"""What must not grow with the rows: a huge send's memory, the last page, a tick with no work.

``BULKSMS_BENCH_ROWS=50000`` runs the same with less.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.test import Client

from bulksms import clock, states
from bulksms.api.v1 import cursors
from bulksms.api.v1.pages import PAGE_SIZE
from bulksms.models import Campaign, Message
from bulksms.services import audit, reconcile
from tests.benchmarks import bare, growth_send
from tests.benchmarks.cpu import Spent, backend, spent, wall
from tests.benchmarks.table import Row, add
from tests.factories import make_key, make_organisation
from tests.scale import history

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROWS = int(os.environ.get("BULKSMS_BENCH_ROWS", "1000000"))
FEW = 10_000
PAGES, TICKS, WARMING = 50, 100, 5
SHOWN = f"{ROWS:,}"


def test_a_file_of_a_million_beside_copy(tmp_path: Path) -> None:
    """A process for each size, on this database; the small one comes first and warms it up."""
    few, many = make_organisation(10**15), make_organisation(10**15)
    sent = []
    for organisation, rows in ((few, FEW), (many, ROWS)):
        file = growth_send.write_csv(tmp_path / f"{rows}.csv", rows)
        database = str(connection.settings_dict["NAME"])
        sent.append(growth_send.send(database, file, organisation.slug))
        queued = Message.objects.filter(organisation=organisation, status=states.QUEUED)
        assert queued.count() == rows
    small, large = sent
    assert list(audit.faults()) == []
    with bare.database() as plain:
        copied = _copied(plain, many.pk)
    add(
        Row(
            f"bulksms_send, {SHOWN} own texts", large.wall_s, "COPY of the same rows, in 10,000s",
            copied.wall_s, 4.0, f"{ROWS / large.wall_s:,.0f} rows/s",
            cpu_ratio=large.cpu_s / copied.cpu_s,
        )
    )  # fmt: skip
    add(
        Row(
            f"memory of bulksms_send, {SHOWN} rows", large.peak_mb, f"of {FEW:,} rows",
            small.peak_mb, 1.2, "at the peak", unit="MB",
        )
    )  # fmt: skip


def _copied(plain: psycopg.Connection, organisation: int) -> Spent:
    """What COPY of the same rows costs, 10,000 at a time, as beside the requests of that size."""
    total = Spent()
    plain.execute("TRUNCATE bare_message")
    campaigns = Campaign.objects.filter(organisation=organisation).order_by("pk")
    for campaign in campaigns.values_list("pk", flat=True):
        columns, rows = bare.rows_of(plain, "bulksms_message", "campaign_id = %s", campaign)
        with spent(plain.info.backend_pid) as seconds:
            bare.append(plain, columns, rows)
        total.wall_s += seconds.wall_s
        total.cpu_s += seconds.cpu_s
    found = plain.execute("SELECT count(*) FROM bare_message").fetchone()
    assert found == (ROWS,)
    return total


def test_the_last_page_of_a_campaign_beside_its_first(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others come after it: a page that reads on past its campaign's end meets them."""
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {"read": None}}
    owner, now = make_organisation(10**15), clock.now()
    monkeypatch.setattr(history, "CAMPAIGNS", 1)
    history.grow(ROWS, (owner, owner), now - history.LONG_AGO)
    history.grow(ROWS // 10, (owner, owner), now)
    history.analyse()
    campaign = Campaign.objects.get(recipients_count=ROWS).pk
    headers = {"authorization": f"Bearer {make_key(owner)}"}
    address = f"/v1/sms/campaigns/{campaign}/messages/"
    query = f"?cursor={cursors.write(campaign, _before_last_page(campaign))}"
    first, last = _timed(
        lambda: _page(client, address, headers, is_last=False),
        lambda: _page(client, address + query, headers, is_last=True),
        rounds=PAGES,
    )
    history.empty()
    add(
        Row(
            f"last page of a campaign of {SHOWN}", last.wall_s, "its first page", first.wall_s,
            1.5, f"{PAGE_SIZE} messages a page", cpu_ratio=last.cpu_s / first.cpu_s,
        )
    )  # fmt: skip


def _before_last_page(campaign: UUID) -> UUID:
    """The last message of the page before: the cursor that a client would have come to."""
    newest = Message.objects.filter(campaign=campaign).order_by("-id")
    return newest.values_list("id", flat=True)[PAGE_SIZE]


def _page(client: Client, address: str, headers: dict[str, str], *, is_last: bool) -> None:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.content[:500]
    found = answer.json()
    assert len(found["results"]) == PAGE_SIZE
    assert (found["next_cursor"] is None) == is_last


def test_an_idle_tick_over_a_million_beside_an_empty_database() -> None:
    owners = make_organisation(10**15), make_organisation(10**15)
    history.analyse()
    (empty,) = _timed(_idle_tick, rounds=TICKS)
    history.grow(ROWS, owners, clock.now())
    history.analyse()
    (full,) = _timed(_idle_tick, rounds=TICKS)
    assert Message.objects.count() >= ROWS
    history.empty()
    add(
        Row(
            f"a tick with no work, {SHOWN} finished rows", full.wall_s,
            "over an empty database", empty.wall_s, 2.0, cpu_ratio=full.cpu_s / empty.cpu_s,
        )
    )  # fmt: skip


def _idle_tick() -> None:
    assert not reconcile.tick_once()


def _timed(*works: Callable[[], None], rounds: int) -> list[Spent]:
    """Of each work the median of rounds in turn, after some that warm up; processor time of all."""
    taken: list[list[Spent]] = [[] for _ in works]
    for _ in range(WARMING + rounds):
        for work, spendings in zip(works, taken, strict=True):
            with spent(backend()) as one:
                work()
            spendings.append(one)
    counted = [spendings[WARMING:] for spendings in taken]
    return [Spent(wall(each), sum(one.cpu_s for one in each)) for each in counted]
