"""Many senders and one wallet; settling in opposite orders; a host whose transaction stays open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.db import transaction

from bulksms import clock, send_bulk, states
from bulksms.exceptions import WalletBusy
from bulksms.models import Campaign, Hold, Message, Organisation
from bulksms.services import audit, reports, settlement, wallet
from bulksms.services.sending import BulkResult
from bulksms.services.settlement import Move
from bulksms.testing import drain, virtual_clock
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PRICE = 1_000_000


def test_twenty_senders_and_money_for_ten(carrier: FakeCarrier) -> None:
    organisation = make_organisation(balance_micros=10 * PRICE, price_micros=PRICE)

    def send(number: str) -> Callable[[], BulkResult]:
        return lambda: send_bulk(recipients=[number], message="Hi", organisation=organisation)

    results = at_once([send(number) for number in kenyan_numbers(20)])

    assert all(isinstance(result, BulkResult) for result in results), results
    assert sum(result.queued for result in results if isinstance(result, BulkResult)) == 10
    assert wallet.of(organisation).available_micros == 0
    drain()
    assert carrier.total_accepted == 10
    assert list(audit.faults()) == []


def test_twenty_requests_over_http_and_money_for_ten(live_server: Any) -> None:
    organisation = make_organisation(balance_micros=10 * PRICE, price_micros=PRICE)
    key = make_key(organisation)

    def post(number: str) -> Callable[[], requests.Response]:
        return lambda: requests.post(
            f"{live_server.url}/v1/sms/send-bulk/",
            json={"recipients": [number], "message": "Hi"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )

    answers = at_once([post(number) for number in kenyan_numbers(20)])

    statuses = [a.status_code for a in answers if isinstance(a, requests.Response)]
    assert sorted(statuses) == [201] * 10 + [207] * 10
    assert wallet.of(organisation).available_micros == 0
    assert list(audit.faults()) == []


def _asked(organisation: Organisation, count: int) -> list[Message]:
    """Messages whose outcome a settle run may record."""
    result = send_bulk(recipients=kenyan_numbers(count), message="Hi", organisation=organisation)
    rows = Message.objects.filter(campaign=result.campaign)
    rows.update(status=states.SENDING)
    Campaign.objects.filter(pk=result.id).update(queued_count=0, sending_count=count)
    return list(rows.order_by("id"))


def test_settling_two_organisations_in_opposite_order_never_deadlocks() -> None:
    rounds, first, second = 200, make_organisation(), make_organisation()
    pairs = [(_asked(first, 2), _asked(second, 2)) for _ in range(rounds)]
    together = threading.Barrier(2)

    def settle(which: int, *, backwards: bool) -> Callable[[], None]:
        """One run takes each first row, the other each second row: same campaigns, same holds."""

        def run() -> None:
            for number, (ours, theirs) in enumerate(pairs):
                rows = [ours[which], theirs[which]]
                moves = [
                    Move(row.id, states.SENT if which else states.FAILED, asked_at=clock.now())
                    for row in (reversed(rows) if backwards else rows)
                ]
                together.wait(30)
                with transaction.atomic():
                    settlement.apply(
                        moves,
                        [row.campaign_id for row in (reversed(rows) if backwards else rows)],
                        key=f"test:{number}:{which}",
                        now=clock.now(),
                    )

        return run

    outcomes = at_once([settle(0, backwards=False), settle(1, backwards=True)])

    assert outcomes == [None, None]
    assert Message.objects.filter(status=states.SENT).count() == 2 * rounds
    assert Message.objects.filter(status=states.FAILED).count() == 2 * rounds


@pytest.fixture
def host_transaction(
    in_background: Callable[[Callable[[], Any]], threading.Thread],
) -> Any:
    """A host that sends and then keeps its transaction open until it is told to commit."""
    sent, commit = threading.Event(), threading.Event()

    def start(organisation: Organisation) -> Callable[[], None]:
        def work() -> None:
            with transaction.atomic():
                send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=organisation)
                sent.set()
                assert commit.wait(30)

        thread = in_background(work)
        assert sent.wait(30)

        def end() -> None:
            commit.set()
            thread.join(30)

        return end

    yield start
    commit.set()


def test_an_open_host_transaction_delays_no_capture_and_no_report(
    host_transaction: Any, carrier: FakeCarrier, settings: Any
) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    organisation = make_organisation(price_micros=PRICE)
    result = send_bulk(
        recipients=kenyan_numbers(5, 722_000_000), message="Hi", organisation=organisation
    )
    commit = host_transaction(organisation)

    drain()
    virtual_clock.advance(minutes=10)
    carrier.transport.pump()
    assert reports.apply_once() == 5

    rows = Message.objects.filter(campaign=result.campaign)
    assert rows.filter(status=states.DELIVERED).count() == 5, "a report waited for the wallet"
    hold = Hold.objects.get(campaign=result.campaign)
    assert hold.captured_micros == 5 * PRICE, "a capture waited for the wallet"
    assert not rows.filter(charge=states.HELD).exists()
    commit()


def test_a_second_sender_is_told_that_the_wallet_is_busy(
    host_transaction: Any, settings: Any, live_server: Any
) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "WALLET_LOCK_TIMEOUT_S": 0.3}
    organisation = make_organisation(price_micros=PRICE)
    commit = host_transaction(organisation)

    with pytest.raises(WalletBusy):
        send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=organisation)
    answer = requests.post(
        f"{live_server.url}/v1/sms/send-bulk/",
        json={"recipients": kenyan_numbers(1), "message": "Hi"},
        headers={"Authorization": f"Bearer {make_key(organisation)}"},
        timeout=60,
    )

    assert (answer.status_code, answer.json()["code"]) == (503, "wallet_busy")
    assert int(answer.headers["Retry-After"]) >= 1
    assert not Campaign.objects.exists(), "half done"
    commit()
    assert Campaign.objects.count() == 1
    assert list(audit.faults()) == []
