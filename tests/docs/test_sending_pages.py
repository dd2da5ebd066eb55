"""The programs on the pages about sending, testing and forgetting, run as they stand there."""

from __future__ import annotations

import io
import unittest
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command

from bulksms import send_to
from bulksms.carriers.base import OutboundSms
from bulksms.models import Campaign, Message
from bulksms.testing import drain, virtual_clock
from tests.docs.blocks import blocks_of
from tests.docs.test_blocks import loaded, typed

CSV, FROM_PYTHON, TESTING, RETENTION = (
    blocks_of(f"howto/{page}.md")
    for page in ("send_a_csv", "send_from_python", "test_your_project", "retention")
)

pytestmark = pytest.mark.django_db
pytest_plugins = ["bulksms.pytest_plugin"]

Outbox = list[OutboundSms]


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_text(CSV["customers.csv"].text)
    return tmp_path


def sent(outbox: Outbox) -> list[str]:
    drain()
    return sorted(sms.text for sms in outbox)


def test_the_csv_is_looked_at_and_then_sent(in_a_folder: Path, sms_outbox: Outbox) -> None:
    printed = typed(CSV["look, then send"])

    assert printed.count("2 of 2 rows can be sent") == 2
    assert sent(sms_outbox) == [
        "Dear Amina, KES 1500 is due.", "Dear Brian, KES 20 is due."
    ]  # fmt: skip


def test_one_and_many_from_python(sms_outbox: Outbox) -> None:
    exec(FROM_PYTHON["one and many"].text, {})
    assert len(sent(sms_outbox)) == 5


def test_the_rows_of_a_queryset(sms_outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's call, as it is, about users in the place of bills."""
    names = {"paid_at": "last_login", "customer__phone": "username", "customer__name": "first_name"}
    source = FROM_PYTHON["billing/remind.py"].text
    for theirs, ours in (*names.items(), ("{amount}", "{last_name}")):
        source = source.replace(theirs, ours)
    User.objects.create(username="0712345678", first_name="Amina", last_name="1500")
    space: dict[str, Any] = {}
    exec(source, space)

    assert space["send_to"] is send_to
    assert space["remind"](User.objects, 3).queued == 1
    assert space["remind"](User.objects, 3).queued == 0
    assert sent(sms_outbox) == ["Dear Amina, KES 1500 is due."]


def test_the_action_is_one_that_the_admin_takes() -> None:
    page = loaded(FROM_PYTHON["shop/admin.py"]).CustomerAdmin(User, admin.site)
    (action,) = page.actions
    assert page._get_action_description(action, "x") == "Text the selected %(verbose_name_plural)s"


def test_the_plugin_is_named_as_it_is() -> None:
    assert loaded(TESTING["conftest.py"]).pytest_plugins == pytest_plugins


def test_the_test_with_pytest_passes(sms_outbox: Outbox) -> None:
    loaded(TESTING["test_orders.py"]).test_who_orders_is_told(sms_outbox)
    assert Campaign.objects.count() == 1


def test_the_test_with_unittest_passes(db: None) -> None:
    case = loaded(TESTING["tests.py"]).OrderTest("test_who_orders_is_told")
    case.setUp()
    case.test_who_orders_is_told()
    case.doCleanups()
    assert isinstance(case, unittest.TestCase)
    assert Message.objects.get().status == "sent"


@pytest.fixture
def fixed_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


def test_the_test_with_time_passes(fixed_time: None, sms_outbox: Outbox) -> None:
    loaded(TESTING["test_reminders.py"]).test_a_reminder_leaves_at_its_time(sms_outbox)
    assert len(sms_outbox) == 1


def test_what_is_old_is_forgotten(fixed_time: None, sms_outbox: Outbox) -> None:
    exec(FROM_PYTHON["one and many"].text, {})
    drain()
    virtual_clock.advance(days=91)
    printed = typed(RETENTION["every night"])
    assert "5 message(s) without text and number" in printed

    virtual_clock.advance(days=300)
    assert "5 message(s) deleted" in typed(RETENTION["rows too"])
    assert not Message.objects.exists()


def test_one_person_is_forgotten(sms_outbox: Outbox) -> None:
    exec(FROM_PYTHON["one and many"].text, {})
    drain()
    out = io.StringIO()
    call_command("bulksms_prune", "--erase", "0712345678", stdout=out)
    assert out.getvalue().startswith("3 message(s)")
    assert "0 message(s)" in typed(RETENTION["one person"])
    assert not Message.objects.filter(number="254712345678").exists()
