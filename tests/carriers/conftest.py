"""Every test that takes ``kind`` or ``remote`` runs once per carrier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bulksms.carriers import locmem
from bulksms.carriers.transport import AiohttpTransport
from tests.carriers.kinds import KINDS, REMOTE, Kind


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    locmem.outbox.clear()
    found: Kind = request.param
    return found


@pytest.fixture(params=REMOTE, ids=lambda kind: kind.name)
def remote(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module", autouse=True)
def _give_back_sockets() -> Iterator[None]:
    yield
    AiohttpTransport(connect_timeout_s=5, keepalive_s=2).close()
