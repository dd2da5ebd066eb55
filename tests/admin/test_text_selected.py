""" "Text the selected rows": an action of a host's own ModelAdmin, here the one for users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from bulksms.admin.actions import text_selected
from bulksms.models import Campaign, Message, Organisation, Wallet
from tests.admin.conftest import Clerk
from tests.admin.pages import hidden, said
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db
KES = 1_000_000
USERS = "admin:auth_user_changelist"


@pytest.fixture
def shop() -> Organisation:
    return make_organisation()


@pytest.fixture(autouse=True)
def _action(shop: Organisation) -> Iterator[None]:
    page: Any = admin.site._registry[User]
    before = page.actions
    page.actions = [
        text_selected(phone="username", fields=("first_name",), organisation=lambda _: shop)
    ]
    yield
    page.actions = before


@pytest.fixture
def chosen() -> list[int]:
    """Three users with numbers, one of them a bad one."""
    numbers = [*kenyan_numbers(2), "nonsense"]
    users = [User.objects.create(username=n, first_name=f"N{i}") for i, n in enumerate(numbers)]
    return [user.pk for user in users]


def ask(client: Client, chosen: list[int], **more: Any) -> Any:
    data = {"action": "bulksms_text_selected", "_selected_action": chosen, "index": "0", **more}
    return client.post(reverse(USERS), data, follow=True)


def test_the_first_page_asks_for_the_text_and_names_the_placeholders(
    root: Client, chosen: list[int]
) -> None:
    page = ask(root, chosen)
    assert "Text the selected users" in said(page)
    assert "May have {first_name} in it." in said(page)
    assert page.content.decode().count('name="_selected_action"') == 3


def test_the_preview_shows_the_cost_and_what_would_not_be_sent(
    root: Client, chosen: list[int]
) -> None:
    response = ask(root, chosen, message="Hi {first_name}")
    page = said(response)
    assert "Would be sent 2 of 3" in page
    assert "Cost KES 2.00" in page
    assert "The recipient has characters that do not belong" in page
    assert 'value="Send 2 messages"' in response.content.decode()
    assert not Campaign.objects.exists()


def test_confirmed_it_is_sent_and_logged(root: Client, chosen: list[int]) -> None:
    sealed = hidden(ask(root, chosen, message="Hi {first_name}"), "confirmed")

    page = ask(root, chosen, message="Hi {first_name}", confirmed=sealed)

    assert "2 queued, 1 not sent." in said(page)
    assert set(Message.objects.exclude(text=None).values_list("text", flat=True)) >= {
        "Hi N0", "Hi N1"
    }  # fmt: skip
    assert LogEntry.objects.get().object_id == str(Campaign.objects.get().pk)


def test_confirmed_twice_it_is_sent_once(root: Client, chosen: list[int]) -> None:
    sealed = hidden(ask(root, chosen, message="Hi"), "confirmed")
    for _ in range(2):
        ask(root, chosen, message="Hi", confirmed=sealed)
    assert Campaign.objects.count() == 1


def test_more_rows_than_were_previewed_cost_too_much(root: Client, chosen: list[int]) -> None:
    sealed = hidden(ask(root, chosen[:1], message="Hi"), "confirmed")
    page = ask(root, chosen, message="Hi", confirmed=sealed)
    assert "more than max_cost KES 1.00" in said(page)
    assert not Campaign.objects.exists()


def test_other_fields_cannot_be_read(root: Client, chosen: list[int]) -> None:
    page = said(ask(root, chosen, message="Hi {password}"))
    assert "{password} cannot be used here." in page


def test_a_forged_preview_sends_nothing(root: Client, chosen: list[int]) -> None:
    page = ask(root, chosen, message="Hi", confirmed="forged")
    assert "This preview is too old." in said(page)
    assert not Campaign.objects.exists()


def test_the_text_can_be_changed_again(root: Client, chosen: list[int]) -> None:
    sealed = hidden(ask(root, chosen, message="Hi you"), "confirmed")
    page = ask(root, chosen, message="Hi you", confirmed=sealed, back="1")
    assert "Hi you</textarea>" in page.content.decode()
    assert not Campaign.objects.exists()


def test_too_little_money_disables_the_button(
    root: Client, chosen: list[int], shop: Organisation
) -> None:
    Wallet.objects.filter(organisation=shop).update(available_micros=KES)
    page = ask(root, chosen, message="Hi")
    assert "The money is not enough" in said(page)
    assert "disabled>" in page.content.decode()


def test_only_who_may_add_campaigns_may_use_it(clerk: Clerk, chosen: list[int]) -> None:
    may_look = Permission.objects.get(codename="view_user")
    outsider, sender = clerk(), clerk("add_campaign")
    for user in User.objects.filter(username__startswith="clerk"):
        user.user_permissions.add(may_look)

    assert outsider.get(reverse(USERS)).status_code == 200
    assert ask(outsider, chosen).status_code == 403
    assert ask(sender, chosen).status_code == 200
