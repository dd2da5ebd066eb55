"""bulksms_prune: what it says and how it ends; what it does is in services/test_pruning."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from bulksms import send_bulk, send_sms
from bulksms.models import Campaign, Decision, Message, Organisation
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db
NUMBER = "254712000000"


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("bulksms_prune", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def shop() -> Organisation:
    return make_organisation()


@pytest.fixture
def old(shop: Organisation) -> None:
    """Three messages that were delivered a month ago."""
    send_bulk(recipients=kenyan_numbers(3), message="Hi", organisation=shop)
    with fake_carrier() as house:
        house.run()
    virtual_clock.advance(days=31)


def test_it_says_how_much_of_what_was_forgotten(old: None) -> None:
    text = run("--days", "30")
    assert "3 message(s) without text and number" in text
    assert "3 report(s) deleted" in text
    assert "1 submission(s) deleted" in text


def test_a_dry_run_says_what_would_be(old: None) -> None:
    assert "would be: 3 message(s) deleted" in run("--days", "30", "--rows", "--dry-run")
    assert Message.objects.exclude(number="").count() == 3


def test_json_is_one_object(old: None) -> None:
    told = json.loads(run("--days", "30", "--rows", "--json"))
    assert (told["deleted"], told["reports"], told["dry_run"]) == (3, 3, False)


def test_a_campaign_that_does_not_add_up_makes_it_exit_1(old: None) -> None:
    Message.objects.filter(number=NUMBER).delete()
    with pytest.raises(CommandError, match=r"do not add up\. Run bulksms_audit"):
        run("--days", "30", "--rows")
    assert Message.objects.count() == 2


def test_too_few_days_exit_1() -> None:
    with pytest.raises(CommandError, match="At least 6 days"):
        run("--days", "1")


def test_one_persons_messages_are_erased_as_the_number_is_written(old: None) -> None:
    text = run("--erase", "0712 000 000", "--why", "her letter", "--actor", "amina")
    assert text == "1 message(s) and 1 report(s) no longer name +2547••••000\n"
    assert not Message.objects.filter(number=NUMBER).exists()
    assert Decision.objects.get().why == "her letter"


def test_what_is_not_over_makes_it_exit_1(shop: Organisation) -> None:
    send_sms(NUMBER, "Hi", organisation=shop)
    with pytest.raises(CommandError, match=r"1 message\(s\) are not over yet"):
        run("--erase", NUMBER)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--erase", "071"), "Too short"),
        (("--erase", NUMBER, "--rows"), "neither --rows nor --dry-run"),
        ((), "one of the arguments --days --erase is required"),
    ],
)
def test_what_makes_no_sense_is_said(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)


# What readers find afterwards


@pytest.fixture
def readers(old: None, shop: Organisation) -> list[str]:
    """Every address under which the old campaign can be read."""
    campaign = Campaign.objects.get().pk
    entry = f"/api/sms/outbox/{campaign}"
    return [
        f"/v1/sms/campaigns/{campaign}/", f"/v1/sms/campaigns/{campaign}/messages/",
        "/v1/bulk-sms/messages/?created_from=2026-01-01T00:00:00Z", "/api/sms/outbox", entry,
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [(), ("--rows",)])
def test_readers_of_a_forgotten_campaign_find_no_number_and_no_fault(
    shop: Organisation, readers: list[str], rows: tuple[str, ...]
) -> None:
    headers = {"authorization": f"Bearer {make_key(shop)}"}
    before = [Client().get(address, headers=headers).content.decode() for address in readers]
    run("--days", "30", *rows)

    answers = [Client().get(address, headers=headers) for address in readers]

    assert [answer.status_code for answer in answers] == [200] * len(readers)
    assert sum(NUMBER in body for body in before) >= 2
    assert not any(NUMBER in answer.content.decode() for answer in answers)


def test_the_admins_pages_of_a_blanked_message_and_its_campaign_still_open(
    readers: list[str],
) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    row = Message.objects.earliest("id")
    run("--days", "30")

    for name, pk in (("message", row.pk), ("campaign", row.campaign_id)):
        page = root.get(reverse(f"admin:bulksms_{name}_change", args=[pk]))
        assert page.status_code == 200
        assert NUMBER not in page.content.decode()


def test_the_admins_page_of_a_campaign_without_rows_still_opens(old: None) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    campaign = Campaign.objects.get()
    run("--days", "30", "--rows")

    page = root.get(reverse("admin:bulksms_campaign_change", args=[campaign.pk]))

    assert page.status_code == 200
    assert Campaign.objects.get().delivered_count == 3
