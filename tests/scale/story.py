"""A short life that takes every path: claims, answers, reports, ended leases, every deadline.

The same story is told twice, over an almost empty database and over a full one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock
from uuid import UUID

import psycopg
from django.db import connection

from bulksms import clock, send_bulk, states
from bulksms.carriers.base import ParsedReport
from bulksms.models import Campaign, Message, MessageAttempt, Organisation, Wallet
from bulksms.services import (
    campaigns,
    claiming,
    control,
    dispatch,
    feeds,
    overview,
    reconcile,
    reports,
    resolving,
    routing,
    stops,
    wallet,
)
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers
from tests.harness import fake_carrier
from tests.scale.plans import Watch

_seeds = count(1)


class Story:
    """Tells it for two organisations; ``moved`` is how much each sweep of the tick had to do."""

    def __init__(self, first: Organisation, second: Organisation) -> None:
        self.first, self.second = first, second
        self.watch = Watch()
        self.moved: dict[str, int] = {}

    def tell(self) -> None:
        dispatch.run_once("main")  # what the first step of all makes is there from now on
        assert reconcile.take_lease("test")
        self._send_and_report()
        self._lose_answers()
        self._lose_workers()
        self._cancel()
        self._wait_for_deadlines()
        self._look()

    def _send(self, organisation: Organisation, how_many: int, **options: Any) -> UUID:
        numbers = kenyan_numbers(how_many)
        with self.watch.step("intake"):
            return send_bulk(
                recipients=numbers, message="Hi", organisation=organisation, **options
            ).id

    def _dispatch(self) -> int:
        with self.watch.step("claim, begin, record"):
            return dispatch.run_once("main")

    def _send_and_report(self) -> None:
        campaign = self._send(self.first, 1_100)
        self._send(self.second, 200)
        with fake_carrier(next(_seeds), [{"report": False}]):
            while self._dispatch():
                pass
        rows = list(Message.objects.filter(campaign=campaign, status=states.SENT).order_by("id"))
        assert len(rows) == 1_100
        by_reference = [self._report(row, "delivered", by="reference") for row in rows[:500]]
        by_carrier = [self._report(row, "delivered", by="carrier_ref") for row in rows[500:900]]
        others = [self._report(row, "rejected", by="reference") for row in rows[900:1_000]]
        strange = [ParsedReport(f"?{row.id}", f"?{row.id}", "", "delivered", "", "{}")
                   for row in rows[:50]]  # fmt: skip
        old = MessageAttempt.objects.order_by("-id")[:50]
        late = [ParsedReport(f"o{a.pk}-{next(_seeds)}", a.carrier_ref, "", "delivered", "", "{}")
                for a in old]  # fmt: skip
        for batch in (by_reference, by_reference, by_carrier, others, strange, late):
            with self.watch.step("reports, stored"):
                reports.store("main", batch)
            with self.watch.step("reports, applied"):
                reports.apply_once()
        self._tick(seconds=5)

    def _report(self, row: Message, state: str, *, by: str) -> ParsedReport:
        reference = str(row.id) if by == "reference" else ""
        return ParsedReport(str(row.id), row.carrier_ref, reference, state, "000", "x" * 200)

    def _lose_answers(self) -> None:
        self._send(self.first, 100)
        with fake_carrier(next(_seeds), [{"lose_answer": {"how": "reset"}}, {"report": False}]):
            assert self._dispatch() == 100
            self._tick(seconds=400)
            with self.watch.step("carrier query"):
                for submission_id in resolving.due(clock.now()):
                    assert resolving.query_once(submission_id) == 100

    def _lose_workers(self) -> None:
        self._send(self.first, 100)
        self._send(self.second, 100)
        with fake_carrier(next(_seeds)) as house, self.watch.step("claim, begin, record"):
            assert dispatch.claim(house.carrier)
            claimed = claiming.claim(house.carrier)
            if claimed is not None:
                assert dispatch.begin(claimed)
        self._tick(minutes=10)

    def _cancel(self) -> None:
        """A sensitive one is paused, resumed and cancelled; the tick ends its rows and its text."""
        campaign = self._send(self.second, 100, sensitive=True)
        with self.watch.step("control"), mock.patch.object(control, "AT_ONCE", 0):
            control.pause(self.second, campaign)
            control.resume(self.second, campaign)
            assert control.cancel(self.second, campaign).remaining == 100
        self._tick(seconds=5)

    def _wait_for_deadlines(self) -> None:
        """What is queued expires while its wallet is locked; what was sent is never heard of."""
        stops.stop("main", actor="test", why="to let the queue expire")
        self._send(self.first, 100)
        virtual_clock.advance(hours=49)
        with self._locked_wallet():
            self._tick()
        self._tick(seconds=5)
        for hours in (24, 73, 1):
            self._tick(hours=hours)
        stops.resume("main", actor="test")
        with self.watch.step("tick with nothing to do"):
            assert not reconcile.tick_once()

    @contextmanager
    def _locked_wallet(self) -> Iterator[None]:
        settings = connection.get_connection_params()
        wanted = ("host", "port", "dbname", "user", "password")
        given: dict[str, Any] = {name: settings[name] for name in wanted if settings.get(name)}
        sql = f"SELECT 1 FROM {Wallet._meta.db_table} WHERE organisation_id = %s FOR NO KEY UPDATE"
        with psycopg.connect(**given) as other:
            other.execute(sql, [self.first.pk])
            yield
            other.rollback()

    def _tick(self, **later: float) -> None:
        """What ``reconcile.tick_once`` does, each sweep by its name."""
        virtual_clock.advance(**later)
        with self.watch.step("tick: lease"):
            assert reconcile.take_lease("test")
        for name, sweep in reconcile.SWEEPS.items():
            with self.watch.step(f"tick: {name}"):
                self.moved[name] = self.moved.get(name, 0) + sweep(clock.now())

    def _look(self) -> None:
        """What people and hosts read: the status, a campaign, the finished messages."""
        with self.watch.step("status"):
            list(overview.findings())
        newest = Campaign.objects.filter(organisation=self.first).latest("id")
        last = Message.objects.filter(organisation=self.first, done_at__isnull=False)
        follower = last.order_by("done_at", "id").values_list("done_at", "id")[150]
        cursor = feeds._write(self.first.pk, *follower)
        virtual_clock.advance(minutes=1)
        with self.watch.step("finished messages"):
            for since in (None, cursor):
                page = feeds.messages_done_since(organisation=self.first, cursor=since, limit=100)
                assert len(page.messages) == 100
        with self.watch.step("a campaign"):
            campaign = campaigns.get(self.first, newest.id)
            campaigns.cost_micros(campaign)
            campaigns.messages(campaign, limit=50)
            wallet.held_micros(wallet.of(self.first))
        assert dt.timedelta() < clock.now() - newest.created_at
        assert routing.names() == ["main"]
