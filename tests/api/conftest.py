from __future__ import annotations

import os
from typing import Any

import dramatiq.broker
import pytest
from django.db import connection
from dramatiq.brokers.stub import StubBroker
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


def make_hostile(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """This host project configures all it can, and its default broker knows no actor of ours."""
    for name, value in hostile.SETTINGS.items():
        setattr(settings, name, value)
    for name, value in hostile.FROM_SETTINGS.items():
        monkeypatch.setattr(APIView, name, value)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    monkeypatch.setattr(dramatiq.broker, "global_broker", StubBroker())


@pytest.fixture(autouse=True)
def _host_of_this_run(request, settings, monkeypatch) -> None:
    """``make test-hostile`` runs every test of the API in the hostile host."""
    if os.environ.get("BULKSMS_TEST_HOST") == "hostile" and "host" not in request.fixturenames:
        make_hostile(settings, monkeypatch)


@pytest.fixture(params=["plain", "hostile"])
def host(request, settings, monkeypatch) -> str:
    """A host project that leaves everything as it is, and one that configures all it can."""
    if request.param == "hostile":
        make_hostile(settings, monkeypatch)
    return request.param
