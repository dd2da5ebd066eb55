"""Fixtures of the whole stories: a real HTTP server, a virtual clock, a fake carrier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from bulksms.testing import virtual_clock
from tests.harness import FakeCarrier, fake_carrier


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    """A carrier that accepts and delivers everything."""
    with fake_carrier() as house:
        yield house


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
