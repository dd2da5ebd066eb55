from __future__ import annotations

import pytest

from bulksms.models import Organisation
from tests.api.helpers import Api
from tests.factories import make_key, make_organisation
from tests.virtual import _virtual_time, carrier

__all__ = ["_virtual_time", "carrier"]


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
