from __future__ import annotations

import pytest
from django.db import connection
from rest_framework.views import APIView

from bulksms.models import Organisation
from tests.api import hostile
from tests.api.helpers import Api
from tests.factories import make_key, make_organisation


@pytest.fixture
def organisation(db: None) -> Organisation:
    """Ten units to send, at KES 1.00 each."""
    return make_organisation(balance_micros=10_000_000)


@pytest.fixture
def api(organisation: Organisation) -> Api:
    return Api(make_key(organisation))


@pytest.fixture(params=["plain", "hostile"])
def host(request, settings, monkeypatch) -> str:
    """A host project that leaves everything as it is, and one that configures all it can."""
    if request.param == "hostile":
        for name, value in hostile.SETTINGS.items():
            setattr(settings, name, value)
        for name, value in hostile.FROM_SETTINGS.items():
            monkeypatch.setattr(APIView, name, value)
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    return request.param
