"""The lists of the admin show no whole number, no text and no secret (marks: test_secrets.py)."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from bulksms.models import Message
from bulksms.services import suppression
from tests.api.helpers import Api
from tests.api.test_secrets import NUMBER, found, use_everything
from tests.factories import make_key, make_organisation
from tests.harness import fake_carrier

LISTS = sorted(
    model._meta.model_name or ""
    for model in admin.site._registry
    if model._meta.app_label == "bulksms"
)


@pytest.fixture
def secret(db: None) -> str:
    """Of a key with which everything marked was sent."""
    key = make_key(make_organisation())
    with fake_carrier(rules=[{"match": {"number": NUMBER}, "refuse": "blocked"}]) as house:
        use_everything(Api(key), house)
    suppression.suppress([NUMBER])
    assert Message.objects.filter(number=NUMBER).exists()
    return key.split("_", 3)[3]


def test_no_list_shows_a_number_a_text_or_a_secret(root, secret) -> None:
    shown = {
        name: root.get(reverse(f"admin:bulksms_{name}_changelist")).content.decode()
        for name in LISTS
    }

    assert "••••888" in shown["message"]
    assert "••••888" in shown["suppression"]
    assert {name: marks for name, page in shown.items() if (marks := found(page, secret))} == {}


def test_the_front_page_does_not_either(root, secret) -> None:
    assert found(root.get(reverse("admin:index")).content.decode(), secret) == []
