"""--dry-run where money moves: everything is checked and shown, nothing is kept; and --json."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bulksms.models import LedgerEntry, Organisation
from bulksms.services import wallet
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db
KES = 1_000_000


@pytest.fixture
def shop() -> Organisation:
    return make_organisation(balance_micros=10 * KES)


def run(name: str, *words: str) -> str:
    out = io.StringIO()
    call_command(name, *words, stdout=out)
    return out.getvalue()


def told(name: str, *words: str) -> Any:
    return json.loads(run(name, *words, "--json"))


def test_a_top_up_is_rehearsed(shop: Organisation) -> None:
    words = ("bulksms_topup", shop.slug, "5", "--reference", "QX1")

    assert "would be done (top-up): the balance of" in run(*words, "--dry-run")
    assert "KES 15.00" in run(*words, "--dry-run")
    assert wallet.of(shop).available_micros == 10 * KES

    done = told(*words)
    assert done == {
        "entry": LedgerEntry.objects.latest("id").pk, "kind": "top-up", "organisation": shop.slug,
        "currency": "KES", "balance": "15.00", "owed": "0.00", "credit_limit": "0.00",
        "dry_run": False,
    }  # fmt: skip


def test_a_rehearsal_finds_what_would_go_wrong(shop: Organisation) -> None:
    run("bulksms_topup", shop.slug, "5", "--reference", "QX1")
    with pytest.raises(CommandError, match="used before"):
        run("bulksms_topup", shop.slug, "6", "--reference", "QX1", "--dry-run")


def test_a_reversal_is_rehearsed(shop: Organisation) -> None:
    run("bulksms_topup", shop.slug, "5", "--reference", "QX1")
    words = ("bulksms_topup", shop.slug, "--reference", "QX1", "--reverse", "--dry-run")
    assert told(*words)["balance"] == "10.00"
    assert wallet.of(shop).available_micros == 15 * KES


def test_an_adjustment_is_rehearsed(shop: Organisation) -> None:
    words = ("bulksms_adjust", shop.slug, "--amount=-4", "--key", "k", "--note", "n")
    entries = LedgerEntry.objects.count()

    assert run(*words, "--dry-run").startswith("would be done: the balance of")
    assert LedgerEntry.objects.count() == entries

    assert told(*words)["balance"] == "6.00"
    assert LedgerEntry.objects.count() == entries + 1


def test_a_quote_for_machines(shop: Organisation) -> None:
    words = ("bulksms_quote", "Hi", "0712345678", "071", "--organisation", shop.slug)
    found = told(*words)
    assert (found["total"], found["available"], found["sendable"]) == ("1.00", "10.00", 1)
    assert found["refused"] == {"invalid_recipient": 1}


def test_a_tick_for_machines(db: None) -> None:
    assert isinstance(told("bulksms_tick"), dict)
