from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bulksms.models import Organisation
from bulksms.testing import virtual_clock
from tests.api.helpers import Api
from tests.factories import make_key, make_organisation
from tests.harness import FakeCarrier, fake_carrier


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    """Time stands still until the test moves it."""
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    """A carrier that accepts and delivers everything."""
    with fake_carrier() as house:
        yield house


@pytest.fixture
def organisation(db: None) -> Organisation:
    """The page's sender and price: KES 0.60 a unit, and money for 100 units."""
    return make_organisation(60_000_000, 600_000, "TUKUPAY")


@pytest.fixture
def api(organisation: Organisation) -> Api:
    return Api(make_key(organisation, ("send", "read", "manage")))


@pytest.fixture
def poor(db: None) -> Api:
    """Whose money is enough for two units."""
    organisation = make_organisation(1_200_000, 600_000, "TUKUPAY")
    return Api(make_key(organisation, ("send", "read", "manage")))
