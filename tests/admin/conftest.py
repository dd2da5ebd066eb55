"""Fixtures of the admin's tests: who is logged in, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from bulksms.testing import virtual_clock
from tests.harness import FakeCarrier, fake_carrier

Clerk = Callable[..., Client]


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
def root(db: None) -> Client:
    """A browser in which a superuser is logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def clerk(db: None) -> Clerk:
    """``clerk("view_wallet", ...)``: a browser with a member of staff who may do just that."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user(f"clerk-{User.objects.count()}", is_staff=True)
        allowed = Permission.objects.filter(
            content_type__app_label="bulksms", codename__in=permissions
        )
        assert allowed.count() == len(permissions)
        user.user_permissions.set(allowed)
        client = Client()
        client.force_login(user)
        return client

    return make
