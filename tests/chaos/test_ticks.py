"""Several ticks at once, and a tick whose process dies or stands still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from bulksms import conf, send_bulk, states
from bulksms.models import LedgerEntry, Message
from bulksms.services import audit, dispatch, reconcile, routing
from bulksms.testing import virtual_clock
from bulksms.worker import Ticker
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier
from tests.virtual import _virtual_time

__all__ = ["_virtual_time"]

pytestmark = pytest.mark.django_db
#: For what runs in threads or closes the connection.
real_transactions = pytest.mark.django_db(transaction=True)

THREADS = 8
EACH = 120
SWEPT = ("expired", "unconfirmed", "ended_leases")


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with fake_carrier(rules=[{"report": False}], max_batch=EACH) as house:
        yield house


def send() -> None:
    send_bulk(recipients=kenyan_numbers(EACH), message="Hi", organisation=make_organisation())


def leave_work_of_every_kind() -> None:
    """A request that died before it was sent, one that died after, a wait that is over, and rows
    that nobody sent in time."""
    send()
    assert dispatch.run_once("main") == EACH
    virtual_clock.advance(hours=1)
    send()
    assert dispatch.claim(routing.carrier("main")) is not None
    send()
    claimed = dispatch.claim(routing.carrier("main"))
    assert claimed is not None
    assert dispatch.begin(claimed) is not None
    send()
    virtual_clock.advance(seconds=conf.settings.REPORT_DEADLINE_S - 3599)


@pytest.mark.postgres
@real_transactions
def test_eight_ticks_at_once_do_each_due_thing_once(carrier: FakeCarrier) -> None:
    leave_work_of_every_kind()

    ticks = at_once([reconcile.tick_once] * THREADS)

    done = sum((tick for tick in ticks if isinstance(tick, Counter)), Counter[str]())
    assert [tick for tick in ticks if not isinstance(tick, Counter)] == []
    # The rows of the request that never left go back, and have expired meanwhile: either tick
    # that comes first may find that out.
    assert {name: done[name] for name in SWEPT if name != "expired"} == {
        "unconfirmed": EACH, "ended_leases": 2 * EACH
    }  # fmt: skip
    reconcile.tick_once()
    assert Counter(Message.objects.values_list("status", flat=True)) == {
        states.UNCONFIRMED: EACH, states.UNKNOWN: EACH, states.EXPIRED: 2 * EACH
    }  # fmt: skip
    assert [str(fault) for fault in audit.faults()] == []


@pytest.mark.postgres
@real_transactions
def test_eight_ticks_at_once_pay_for_each_ended_message_once(carrier: FakeCarrier) -> None:
    leave_work_of_every_kind()

    at_once([reconcile.tick_once] * THREADS)
    reconcile.tick_once()

    price = Message.objects.values_list("cost_micros", flat=True)[0]
    moved = Counter[str]()
    for entry in LedgerEntry.objects.filter(hold__isnull=False):
        moved[entry.kind] += entry.amount_micros
    by_charge = Counter(Message.objects.values_list("charge", flat=True))
    assert moved["capture"] == by_charge[states.CAPTURED] * price == EACH * price
    assert moved["release"] == by_charge[states.RELEASED] * price == 2 * EACH * price


def test_of_eight_ticks_one_has_the_lease(carrier: FakeCarrier) -> None:
    takes = [reconcile.take_lease(f"tick {number}") for number in range(THREADS)]

    assert takes == [True] + [False] * (THREADS - 1)


def test_a_tick_whose_owner_stands_still_moves_within_fifteen_seconds() -> None:
    """It cannot tell us that it is frozen or dead: it only stops to renew its lease."""
    assert reconcile.take_lease("frozen")
    waited = 0.0
    while not reconcile.take_lease("next"):
        virtual_clock.advance(seconds=conf.settings.TICK_S)
        waited += conf.settings.TICK_S

    assert waited <= 15
    assert not reconcile.take_lease("frozen"), "it wakes, and sees that it is too late"


@real_transactions
def test_a_tick_that_is_stopped_leaves_the_lease_to_the_next() -> None:
    ticker = Ticker()
    ticker._beat()
    assert not reconcile.take_lease("next")

    ticker._let_go()

    assert reconcile.take_lease("next")


@real_transactions
def test_a_tick_that_lost_its_lease_takes_nothing_away_when_it_stops() -> None:
    ticker = Ticker()
    assert reconcile.take_lease("owner")

    ticker._let_go()

    assert not reconcile.take_lease("next")


@real_transactions
def test_a_tick_survives_a_failure_that_nobody_thought_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    beats: list[int] = []

    def fail() -> None:
        beats.append(1)
        if len(beats) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(reconcile, "tick_once", fail)
    ticker = Ticker()

    ticker._beat()
    ticker._beat()

    assert len(beats) == 2
    assert [record.message for record in caplog.records] == ["bulksms: a tick failed"]


@real_transactions
def test_a_database_that_is_away_is_told_of_once_and_so_is_its_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_away(*_: object) -> bool:
        raise OperationalError("connection refused")

    ticker = Ticker()
    with monkeypatch.context() as away:
        away.setattr(reconcile, "take_lease", is_away)
        for _ in range(5):
            ticker._beat()
    ticker._beat()

    told = [getattr(record, "event", "") for record in caplog.records]
    assert told == ["database.lost", "database.back"]
