"""One wallet under many callers, and under a host that holds it for too long."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import pytest
from django.db import connection, transaction

from bulksms import send_bulk, states
from bulksms.models import Campaign, Message, Organisation
from bulksms.services import audit, dispatch, ledger, reconcile, reports, wallet
from bulksms.testing import virtual_clock
from tests.benchmarks.growth_callers import CALLS, RECIPIENTS
from tests.benchmarks.table import Row, add
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PRICE, MONEY = 1_000_000, 10**15
PROCESSES, THREADS = 4, 8
CALLERS = PROCESSES * THREADS
ROUNDS = 3
#: A throughput of 0.7 of what as many wallets give.
ONE_WALLET_GOAL = 1 / 0.7
#: Messages of each organisation in a round of settling: ten requests to the carrier.
SETTLED = 5_000
#: One of so many is refused by the carrier, and its money given back.
REFUSED = 50


def test_32_callers_on_one_wallet_beside_32_wallets() -> None:
    """Four processes of eight threads: in one process they would wait for Python, not the wallet.

    Both ways are measured in the same processes and in turn; they differ in nothing but the keys.
    """
    owners = [make_organisation(MONEY, PRICE) for _ in range(CALLERS)]
    many = [make_key(owner) for owner in owners]
    one = [many[0]] * CALLERS
    taken: dict[str, list[float]] = {"one": [], "many": []}
    with ExitStack() as stack:
        webs = [stack.enter_context(_web()) for _ in range(PROCESSES)]
        _called(webs, many)  # each thread's first call loads what the others find
        for _ in range(ROUNDS):
            taken["one"].append(_called(webs, one))
            taken["many"].append(_called(webs, many))
    _check_money(owners)
    one_s, many_s = (min(seconds) for seconds in taken.values())  # what else ran only adds
    calls = CALLERS * CALLS
    add(
        Row(
            f"{CALLERS} callers on one wallet", one_s, f"{CALLERS} callers on {CALLERS} wallets",
            many_s, ONE_WALLET_GOAL,
            f"{calls / one_s:,.0f} and {calls / many_s:,.0f} calls/s of {RECIPIENTS}",
        )
    )  # fmt: skip


@contextmanager
def _web() -> Iterator[subprocess.Popen[str]]:
    """A process that calls; it ends when there are no more lines for it."""
    database = str(connection.settings_dict["NAME"])
    words = [sys.executable, "-m", "tests.benchmarks.growth_callers", database]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def _called(webs: Sequence[subprocess.Popen[str]], keys: Sequence[str]) -> float:
    """Seconds until the last caller is through."""
    for number, web in enumerate(webs):
        assert web.stdin is not None
        print(json.dumps(keys[number::PROCESSES]), file=web.stdin, flush=True)
    answers = [web.stdout.readline() for web in webs if web.stdout is not None]
    return max(float(answer) for answer in answers)


def _check_money(owners: Sequence[Organisation]) -> None:
    """Every call was accepted once, and paid from the wallet of its own key."""
    of_one, of_each = ROUNDS * CALLERS * CALLS, (ROUNDS + 1) * CALLS
    for owner, calls in zip(owners, [of_one + of_each, *[of_each] * (CALLERS - 1)], strict=True):
        assert Campaign.objects.filter(organisation=owner).count() == calls
        left = wallet.of(owner).available_micros
        assert left == MONEY - calls * RECIPIENTS * PRICE
    assert list(audit.faults()) == []


def test_settling_beside_a_host_that_holds_the_wallet(settings: Any) -> None:
    """Requests and reports of the same organisation and of another one; some rows are refused.

    What those rows give back is the only thing that waits for the wallet, and no step waits for it.
    """
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    numbers = kenyan_numbers(SETTLED)
    refused = {"match": {"number": numbers[::REFUSED]}, "refuse": "blocked"}
    busy, other = make_organisation(MONEY, PRICE), make_organisation(MONEY, PRICE)
    taken: dict[bool, list[float]] = {False: [], True: []}
    with fake_carrier(1, [refused]) as carrier:
        for is_held in [False, *[False, True] * ROUNDS]:  # one more, which is not counted
            for owner in (busy, other):
                send_bulk(recipients=numbers, message="Hi", organisation=owner)
            with _open_transaction(busy) if is_held else nullcontext():
                taken[is_held].append(_settle(carrier))
                assert _is_locked(busy) == is_held
            reconcile.tick_once()
    assert not Message.objects.filter(charge=states.HELD).exists()
    assert Campaign.objects.filter(status=states.COMPLETED).count() == 2 * (1 + 2 * ROUNDS)
    assert list(audit.faults()) == []
    add(
        Row(
            f"{2 * SETTLED:,} asked and reported, a wallet held", statistics.median(taken[True]),
            "the same while nobody holds it", statistics.median(taken[False][1:]), 1.2,
            f"one of {REFUSED} refused; half of all are of that wallet",
        )
    )  # fmt: skip


def _settle(carrier: FakeCarrier) -> float:
    """Seconds of our steps for all that is queued; the carrier's reports come between them."""
    started = time.perf_counter()
    while dispatch.run_once("main"):
        pass
    seconds = time.perf_counter() - started
    virtual_clock.advance(minutes=10)
    carrier.transport.pump()
    started = time.perf_counter()
    while reports.apply_once():
        pass
    assert not Message.objects.filter(done_at=None).exists()
    return seconds + time.perf_counter() - started


@contextmanager
def _open_transaction(organisation: Organisation) -> Iterator[None]:
    """A host sends in a transaction of its own, does not end it, and at last takes it back."""
    sent, end = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with transaction.atomic():
                send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=organisation)
                sent.set()
                assert end.wait(60)
                transaction.set_rollback(True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        host = pool.submit(work)
        assert sent.wait(30)
        try:
            yield
        finally:
            end.set()
        host.result(30)


def _is_locked(organisation: Organisation) -> bool:
    with transaction.atomic():
        return not ledger.lock_free({wallet.of(organisation).pk})
