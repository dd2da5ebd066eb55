"""What the failures share: a paid campaign, and what must hold at every end."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import Any

from bulksms import send_bulk
from bulksms.models import Campaign, Message
from bulksms.services import audit, claiming, dispatch
from bulksms.services.claiming import Claim
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier

PRICE = 1_000_000


def send(count: int = 3, message: str = "Hi", **options: Any) -> Campaign:
    """A campaign of an organisation that has exactly the money for ``count`` units."""
    organisation = make_organisation(balance_micros=count * PRICE, price_micros=PRICE)
    asked = {"recipients": kenyan_numbers(count), "message": message, **options}
    return send_bulk(organisation=organisation, **asked).campaign


def states_of(campaign: Campaign) -> dict[str, int]:
    rows = Message.objects.filter(campaign=campaign)
    return dict(Counter(rows.values_list("status", flat=True)))


def check(house: FakeCarrier) -> None:
    """What must hold whatever happened."""
    assert list(audit.faults()) == []
    assert house.duplicates == (0, 0)


def begun(house: FakeCarrier) -> tuple[Claim, Any, dt.datetime]:
    """A request that is about to be made: its rows, the request, when."""
    claimed = claiming.claim(house.carrier)
    assert claimed is not None
    asked_at = dispatch.begin(claimed)
    assert asked_at is not None
    return claimed, house.carrier.prepare(claimed.batch), asked_at


def ask(house: FakeCarrier, prepared: Any) -> Any:
    return dispatch.submit(house.carrier, prepared, time.monotonic() + 30)
