"""This package: ``send_bulk``, the Africa's Talking carrier, and workers that run its steps."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from bulksms import clock, send_bulk, states
from bulksms.models import Message
from bulksms.services import audit, dispatch, organisations, reconcile, reports
from tests.factories import make_organisation
from tests.versus.figures import FAILED, OPEN, SENT, UNKNOWN, Entry

NAME = "django-bulksms-outbox"
CARRIER = "main"
SENDER = "SHOP"
#: As the carrier charges; so both sides' books are in the same money.
PRICE_MICROS = 800_000
IDLE_S = 0.05
SAYS: Mapping[str, str] = {
    states.QUEUED: OPEN,
    states.SENDING: OPEN,
    states.UNKNOWN: UNKNOWN,
    states.FAILED: FAILED,
    states.SENT: SENT,
}


def settings_for(url: str, chunk: int) -> dict[str, Any]:
    """``BULKSMS``: all defaults, but for time-outs that end within a show."""
    options = {"username": "shop", "api_key": "test-key", "url": url, "max_batch": chunk}
    backend = "bulksms.carriers.africastalking.AfricasTalkingCarrier"
    return {
        "CARRIERS": {CARRIER: {"BACKEND": backend, "OPTIONS": options}},
        "CONNECT_TIMEOUT_S": 3.0,
        "SUBMIT_TIMEOUT_S": 9.0,
        "LEASE_S": 15.0,
        "TICK_S": 0.25,
        "CLOCK": "tests.versus.clock.shared",
    }


def send(numbers: Sequence[str], text: str, chunk: int) -> None:
    """The view. The carrier's ``max_batch`` is the chunk."""
    organisation = make_organisation(price_micros=None, sender=SENDER)
    organisations.set_rate(PRICE_MICROS, currency="KES", organisation=organisation, at=clock.now())
    result = send_bulk(recipients=list(numbers), message=text, organisation=organisation)
    assert result.queued == len(numbers)


def work(bulksms: dict[str, Any]) -> None:
    """A worker process, until it is killed. It needs no broker: the rows say what is due."""
    settings.BULKSMS = bulksms
    owner, next_tick = f"worker {os.getpid()}", 0.0
    while True:
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + bulksms["TICK_S"]
            if reconcile.take_lease(owner):
                reconcile.tick_once()
        if not dispatch.run_once(CARRIER) + reports.apply_once():
            time.sleep(IDLE_S)


def is_done() -> bool:
    return not Message.objects.filter(status__in=(states.QUEUED, states.SENDING)).exists()


def books() -> dict[str, Entry]:
    """What the ledger and the rows say about every message."""
    rows = Message.objects.values_list(
        "number", "status", "charge", "captured_micros", "cost_micros"
    )
    return {
        number: Entry(SAYS[status], captured, cost if charge == states.HELD else 0)
        for number, status, charge, captured, cost in rows
    }


def faults() -> list[str]:
    """What the audit finds."""
    return [str(fault) for fault in audit.faults()]
