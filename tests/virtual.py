"""Fixtures that several folders share: a clock that stands still, a carrier that delivers.

A ``conftest.py`` imports those that its folder wants.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bulksms.testing import virtual_clock
from tests.harness import FakeCarrier, fake_carrier

__all__ = ["_virtual_time", "carrier"]


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
