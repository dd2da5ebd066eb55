"""Fixtures for a host project's tests. In the conftest.py at the root of your tests::

    pytest_plugins = ["bulksms.pytest_plugin"]

It is no entry point: nothing of this is in a project that does not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bulksms.carriers.base import OutboundSms
from bulksms.testing import capture_sms


@pytest.fixture
def sms_outbox(db: None) -> Iterator[list[OutboundSms]]:
    """No message leaves; what ``bulksms.testing.drain()`` sends is in this list, empty at first."""
    with capture_sms() as outbox:
        yield outbox
