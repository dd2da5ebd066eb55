"""The pairs that meet on the same rows: how each begins, and what must hold in the end.

Each is a function that makes the world and returns the two works and the check of the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bulksms import send_bulk, states
from bulksms.exceptions import BulkSmsError
from bulksms.models import Campaign, CarrierState, Hold, Message, Organisation, Report
from bulksms.services import (
    audit,
    claiming,
    control,
    dispatch,
    reconcile,
    reports,
    retrying,
    wallet,
)
from bulksms.services.retrying import Wanted
from bulksms.testing import drain, virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

PRICE = 1_000_000
Work = Callable[[], Any]
Pair = tuple[Work, Work, Callable[[], None]]
PAIRS: dict[str, Callable[[FakeCarrier], Pair]] = {}


def pair(make: Callable[[FakeCarrier], Pair]) -> Callable[[FakeCarrier], Pair]:
    PAIRS[make.__name__.replace("_", " ")] = make
    return make


def check_end(house: FakeCarrier) -> None:
    """After everything has come to rest: the oracle and the audit."""
    for paused in Campaign.objects.filter(status=states.PAUSED):
        control.resume(paused.organisation, paused.pk)
    for _ in range(3):
        house.run(minutes=10)
    assert list(audit.faults()) == []
    assert house.duplicates[0] == 0
    for row in Message.objects.all():
        sent = house.accepted(_reference(row))
        if row.status in (states.CANCELLED, states.EXPIRED):
            assert not sent, "not sent, and a carrier has it"
        if row.status == states.DELIVERED and row.asked_at is not None:
            assert sent or row.attempt > 1, "delivered, and no carrier has it"
    assert not Hold.objects.filter(closed_at=None).exists(), "money waits"


def _reference(row: Message) -> str:
    return str(row.id) if row.attempt == 1 else f"{row.id}-{row.attempt}"


def _send(count: int, **options: Any) -> tuple[Organisation, Any]:
    owner = make_organisation(balance_micros=10 * count * PRICE, price_micros=PRICE)
    result = send_bulk(
        recipients=kenyan_numbers(count), message="Hi", organisation=owner, **options
    )
    return owner, result.campaign


def _count(campaign: Any) -> Counter[str]:
    rows = Message.objects.filter(campaign=campaign)
    return Counter(rows.values_list("status", flat=True))


def _quietly(work: Work) -> Work:
    """A "no" of the app is an answer like any other."""

    def run() -> None:
        try:
            work()
        except BulkSmsError:
            return

    return run


@pair
def hold_and_hold(house: FakeCarrier) -> Pair:
    """Two requests, and money for one of them."""
    owner = make_organisation(balance_micros=2 * PRICE, price_micros=PRICE)

    def send(first: int) -> Work:
        return lambda: send_bulk(
            recipients=kenyan_numbers(2, first), message="Hi", organisation=owner
        )

    def check() -> None:
        drain()
        assert house.total_accepted == 2
        assert wallet.of(owner).available_micros == 0

    return send(712_000_000), send(722_000_000), check


@pair
def hold_and_release(house: FakeCarrier) -> Pair:
    """A cancellation gives money back while a request wants it."""
    owner, campaign = _send(2)

    def check() -> None:
        assert _count(campaign) == {states.CANCELLED: 2}

    return (
        lambda: send_bulk(recipients=kenyan_numbers(1), message="x", organisation=owner),
        lambda: control.cancel(owner, campaign.pk),
        check,
    )


def _asked(house: FakeCarrier, count: int) -> Work:
    """A request was made; what is left to do is to write its results down."""
    claimed = claiming.claim(house.carrier)
    assert claimed is not None
    prepared = house.carrier.prepare(claimed.batch)
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    results = dispatch.submit(house.carrier, prepared, time.monotonic() + 30)
    assert len(results) == count
    return lambda: dispatch.record(claimed, prepared, results, asked_at)


def _hear(house: FakeCarrier) -> None:
    """The carrier's reports come in and wait to be applied."""
    virtual_clock.advance(seconds=10)
    house.transport.pump()
    assert Report.objects.filter(status=states.NEW).exists()


@pair
def settle_and_report(house: FakeCarrier) -> Pair:
    """The reports are faster than the writing down of the request."""
    _, campaign = _send(2)
    record = _asked(house, 2)
    _hear(house)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 2}

    return record, reports.apply_once, check


@pair
def report_and_report(house: FakeCarrier) -> Pair:
    """Two workers take reports up."""
    _, campaign = _send(3)
    _asked(house, 3)()
    _hear(house)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 3}

    return lambda: reports.apply_once(2), lambda: reports.apply_once(2), check


@pair
def cancel_and_claim(house: FakeCarrier) -> Pair:
    owner, campaign = _send(3)

    def check() -> None:
        found = _count(campaign)
        assert found[states.CANCELLED] + found[states.DELIVERED] == 3
        assert found[states.DELIVERED] == house.total_accepted

    return lambda: control.cancel(owner, campaign.pk), lambda: dispatch.run_once("main"), check


@pair
def pause_and_claim(house: FakeCarrier) -> Pair:
    owner, campaign = _send(3)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 3}
        assert house.total_accepted == 3

    return (
        _quietly(lambda: control.pause(owner, campaign.pk)),
        lambda: dispatch.run_once("main"),
        check,
    )


@pair
def claim_and_claim(house: FakeCarrier) -> Pair:
    """Two workers take a request each and go no further; the tick gives the rows back."""
    CarrierState.objects.create(carrier="main")  # as after its first request
    _, campaign = _send(4)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 4}
        assert house.total_accepted == 4

    return lambda: claiming.claim(house.carrier), lambda: claiming.claim(house.carrier), check


@pair
def step_and_step(house: FakeCarrier) -> Pair:
    """Two workers ask at the same time, from the claim to the record."""
    CarrierState.objects.create(carrier="main")  # as after its first request
    _, campaign = _send(4)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 4}
        assert house.total_accepted == 4

    return lambda: dispatch.run_once("main"), lambda: dispatch.run_once("main"), check


def _undelivered(house: FakeCarrier) -> tuple[Organisation, Any]:
    """A campaign of one message that did not arrive, and a late word that it did."""
    owner, campaign = _send(1)
    _asked(house, 1)()
    _hear(house)
    reports.apply_once()
    assert _count(campaign) == {states.UNDELIVERED: 1}
    virtual_clock.advance(seconds=100)
    house.transport.pump()
    assert Report.objects.filter(status=states.NEW).exists()
    return owner, campaign


@pair
def retry_and_late_report(house: FakeCarrier) -> Pair:
    owner, campaign = _undelivered(house)

    def check() -> None:
        row = Message.objects.get(campaign=campaign)
        assert row.attempt == 2
        if row.status == states.DELIVERED and row.asked_at is None:
            assert house.accepted(_reference(row)) == 0

    return lambda: retrying.retry(owner, campaign.pk, Wanted()), reports.apply_once, check


@pair
def retry_and_retry(house: FakeCarrier) -> Pair:
    owner, campaign = _undelivered(house)

    def check() -> None:
        assert Message.objects.get(campaign=campaign).attempt == 2

    retry = _quietly(lambda: retrying.retry(owner, campaign.pk, Wanted()))
    return retry, retry, check


@pair
def tick_and_tick(house: FakeCarrier) -> Pair:
    """A dead worker before and after it asked, and a campaign past its expiry."""
    _, dead = _send(2)
    claimed = claiming.claim(house.carrier)
    assert claimed is not None
    owner, expiring = _send(2)
    control.pause(owner, expiring.pk)
    virtual_clock.advance(hours=49)

    def check() -> None:
        assert _count(expiring) == {states.EXPIRED: 2}
        assert _count(dead) == {states.EXPIRED: 2}

    return reconcile.tick_once, reconcile.tick_once, check


@pair
def record_and_ended_lease(house: FakeCarrier) -> Pair:
    """A late answer comes while the tick gives the request up."""
    _, campaign = _send(2)
    record = _asked(house, 2)
    virtual_clock.advance(seconds=61)

    def check() -> None:
        assert _count(campaign) == {states.DELIVERED: 2}
        assert house.total_accepted == 2

    return record, lambda: reconcile.end_leases(virtual_clock.now()), check


@pair
def cancel_and_record(house: FakeCarrier) -> Pair:
    """What comes back to the queue of a cancelled campaign is cancelled, not sent."""
    owner, campaign = _send(2)
    record = _asked(house, 2)

    def check() -> None:
        found = _count(campaign)
        assert found[states.DELIVERED] + found[states.CANCELLED] == 2

    return record, lambda: control.cancel(owner, campaign.pk), check


@pair
def reversal_and_hold(house: FakeCarrier) -> Pair:
    """The payment bounces while its money is being spent."""
    owner = make_organisation(balance_micros=0, price_micros=PRICE)
    key = f"bounces-{owner.pk}"
    wallet.top_up(owner, PRICE, key=key)

    def check() -> None:
        purse = wallet.of(owner)
        sent = Message.objects.filter(organisation=owner, status=states.DELIVERED).count()
        assert (purse.available_micros, purse.owed_micros) == (0, sent * PRICE)

    return (
        lambda: wallet.reverse_top_up(owner, key, key=key),
        lambda: send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=owner),
        check,
    )


#: What the carrier does, where it is not just "delivered".
RULES: dict[str, Sequence[object]] = {
    name: [{"report": [{"state": "undelivered"}, {"state": "delivered", "delay_s": 60}]}]
    for name in ("retry and late report", "retry and retry")
}
OPTIONS: dict[str, dict[str, Any]] = {
    name: {"max_batch": 2} for name in ("claim and claim", "step and step")
}
