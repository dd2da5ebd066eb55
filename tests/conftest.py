"""What every test may use."""

from __future__ import annotations

import os

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase

IN_CI = os.environ.get("CI") == "true"

hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "ci", deadline=None, print_blob=True, derandomize=True, database=None
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db-only",
        action="store_true",
        help="only tests that use the database: for a second run on another database",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--db-only"):
        others = [item for item in items if not _uses_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _uses_database(item)]


def _uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db"):
        return True
    if {"db", "transactional_db", "live_server"} & set(getattr(item, "fixturenames", ())):
        return True
    return issubclass(getattr(item, "cls", None) or object, TransactionTestCase)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres") and connection.vendor != "postgresql":
        pytest.skip(f"needs PostgreSQL; this run is on {connection.vendor}")


@pytest.fixture(scope="session")
def redis_url() -> str:
    return _service_url("BULKSMS_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    return _service_url("BULKSMS_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")


def _service_url(variable: str, example: str) -> str:
    if url := os.environ.get(variable):
        return url
    advice = (
        f"{variable} is not set; start the server, then: {variable}={example} make test-brokers"
    )
    if IN_CI:
        pytest.fail(f"{advice} (with CI=true a missing server is a failure, not a skip)")
    pytest.skip(advice)
