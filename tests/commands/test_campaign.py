"""bulksms_campaign: the control of a campaign from the shell."""

from __future__ import annotations

import io
import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from bulksms import send_bulk, states
from bulksms.models import Campaign, Organisation
from bulksms.services import wallet
from bulksms.testing import virtual_clock
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db
KES = 1_000_000


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


def run(action: str, campaign: Campaign | None, *words: str) -> str:
    out = io.StringIO()
    which = () if campaign is None else (str(campaign.pk),)
    call_command("bulksms_campaign", action, *which, *words, stdout=out)
    return out.getvalue()


def told(action: str, campaign: Campaign | None, *words: str) -> Any:
    return json.loads(run(action, campaign, "--json", *words))


@pytest.fixture
def shop() -> Organisation:
    return make_organisation(balance_micros=3 * KES)


@pytest.fixture
def campaign(shop: Organisation) -> Campaign:
    """Five recipients, money for three."""
    return send_bulk(recipients=kenyan_numbers(5), message="Hi", organisation=shop).campaign


def test_show_tells_counts_and_cost(campaign: Campaign) -> None:
    text = run("show", campaign)
    assert "counts: queued 3, failed 1, skipped 1" in text
    assert "cost: 3.00" in text
    assert told("show", campaign)["counts"] == {"queued": 3, "failed": 1, "skipped": 1}


def test_list_shows_the_newest_of_one_organisation(campaign: Campaign, shop: Organisation) -> None:
    other = make_organisation()
    send_bulk(recipients=kenyan_numbers(1), message="Hi", organisation=other)
    assert f"{campaign.pk} 2026-01-05T09:00:00+00:00 queued 2/5" in run("list", None)
    found = told("list", None, "--organisation", shop.slug)["campaigns"]
    assert [row["id"] for row in found] == [str(campaign.pk)]


def test_pause_and_resume(campaign: Campaign) -> None:
    assert "3 message(s) paused; 0 had left before. The campaign is paused." in run(
        "pause", campaign
    )
    campaign.refresh_from_db()
    assert campaign.status == states.PAUSED
    assert told("resume", campaign)["status"] == states.QUEUED


def test_resuming_what_is_not_paused_exits_1(campaign: Campaign) -> None:
    with pytest.raises(CommandError, match="This campaign is queued") as raised:
        run("resume", campaign)
    assert raised.value.returncode == 1


def test_cancel_dry_then_for_real(campaign: Campaign, shop: Organisation) -> None:
    assert run("cancel", campaign, "--dry-run") == "3 message(s) would be cancelled\n"
    assert wallet.of(shop).available_micros == 0

    assert told("cancel", campaign)["changed"] == 3
    assert wallet.of(shop).available_micros == 3 * KES


def test_retry_dry_then_for_real(campaign: Campaign, shop: Organisation) -> None:
    wallet.top_up(shop, 10 * KES, key="more")
    assert run("retry", campaign, "--dry-run") == (
        "2 message(s) would be queued again, for KES 2.00\n"
    )
    assert wallet.of(shop).available_micros == 10 * KES

    done = told("retry", campaign)

    assert (done["queued"], done["retry_cost"], done["dry_run"]) == (2, "2.00", False)
    assert wallet.of(shop).available_micros == 8 * KES


def test_retry_says_what_is_not_retried(campaign: Campaign) -> None:
    assert "not: 2 insufficient_balance" in run("retry", campaign)


def test_retry_by_status_refuses_what_cannot_be_retried(campaign: Campaign) -> None:
    with fake_carrier() as house:
        house.run()
    with pytest.raises(CommandError, match="delivered cannot be retried by status"):
        run("retry", campaign, "--status", "delivered")


def test_an_unknown_campaign_exits_1() -> None:
    with pytest.raises(CommandError, match="There is no campaign"):
        call_command("bulksms_campaign", "show", str(uuid4()))
