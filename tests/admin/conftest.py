"""Fixtures of the admin's tests: who is logged in, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.virtual import _virtual_time, carrier

__all__ = ["_virtual_time", "carrier"]

Clerk = Callable[..., Client]


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
