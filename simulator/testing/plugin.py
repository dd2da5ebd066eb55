"""pytest plugin: `pytest -p simulator.testing.plugin`, or `pytest_plugins = [...]` in a conftest.

    def test_something(sms_carrier):
        post_to(sms_carrier.url)
        assert sms_carrier.engine.oracle.totals["accepted"] == 1

`@pytest.mark.sms_carrier(seed=7, rules=[...])` gives the options of `serve_in_thread`. The server
is imported only by tests that use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from simulator import testing

if TYPE_CHECKING:
    from simulator.testing import InProcessTransport, SimulatorThread

MARK = "sms_carrier"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(**options): options of the simulated carrier")


def _options(request: pytest.FixtureRequest) -> dict[str, object]:
    mark = request.node.get_closest_marker(MARK)
    return {} if mark is None else dict(mark.kwargs)


@pytest.fixture
def sms_carrier(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    """A simulated carrier over real HTTP, on a free port, for one test."""
    with testing.serve_in_thread(**_options(request)) as simulator:  # type: ignore[arg-type]
        yield simulator


@pytest.fixture
def sms_transport(request: pytest.FixtureRequest) -> InProcessTransport:
    """A simulated carrier without a socket, in virtual time, for one test."""
    return testing.InProcessTransport(**_options(request))  # type: ignore[arg-type]
