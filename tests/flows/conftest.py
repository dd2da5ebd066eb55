"""Fixtures of the whole stories: a real HTTP server, a virtual clock, a fake carrier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.virtual import _virtual_time, carrier

__all__ = ["_virtual_time", "carrier"]


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
