"""The database notes every move while a test of this folder runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.soak import watch
from tests.soak.machine import Soak
from tests.soak.watch import PreparedAudit


@pytest.fixture
def audit(transactional_db: Any) -> Iterator[PreparedAudit]:
    """The whole audit as one prepared statement; moves are noted meanwhile."""
    Soak.audit = watch.begin()
    try:
        yield Soak.audit
    finally:
        watch.end()
