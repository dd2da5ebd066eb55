"""Who may do what: a permission more or less decides it, on the page and behind it."""

from __future__ import annotations

import pytest
from django.test import Client

from bulksms import states
from bulksms.models import ApiKey, Campaign, Message, SenderId, Suppression, Wallet
from bulksms.services import stops, wallet
from tests.admin.conftest import Clerk
from tests.admin.pages import make_unknown, post, said, send, url
from tests.factories import make_organisation
from tests.wallets import KES, available

pytestmark = pytest.mark.django_db

PAYMENT = {"amount": "50.00", "provider": "mpesa", "reference": "QWE123", "note": ""}


def test_a_top_up_without_its_permission_is_denied_and_moves_nothing(clerk: Clerk) -> None:
    organisation = make_organisation(balance_micros=KES)
    page = Wallet.objects.get(organisation=organisation).pk
    client = clerk("view_wallet", "change_wallet", "add_wallet", "adjust_wallet")

    assert "Top up" not in said(client.get(url("wallet_change", page)))
    assert client.post(url("wallet_top_up", page), PAYMENT).status_code == 403
    assert available(organisation) == KES


def test_a_top_up_with_its_permission_credits_the_payment_once(clerk: Clerk) -> None:
    organisation = make_organisation(balance_micros=KES)
    page = Wallet.objects.get(organisation=organisation).pk
    client = clerk("view_wallet", "top_up_wallet")

    first = post(client, url("wallet_top_up", page), **PAYMENT)
    post(client, url("wallet_top_up", page), **PAYMENT)

    assert "Top-up of KES 50.00" in said(first)
    assert available(organisation) == 51 * KES


def test_an_adjustment_has_a_permission_of_its_own(clerk: Clerk) -> None:
    organisation = make_organisation(balance_micros=KES)
    page = url("wallet_adjust", Wallet.objects.get(organisation=organisation).pk)
    wanted = {"amount": "-0.25", "note": "double charge", "key": "k1"}

    assert clerk("view_wallet", "top_up_wallet").post(page, wanted).status_code == 403
    post(clerk("view_wallet", "adjust_wallet"), page, **wanted)

    assert available(organisation) == KES - KES // 4


def test_what_a_wallet_refuses_is_said_on_the_page(root: Client) -> None:
    organisation = make_organisation(balance_micros=KES)
    page = url("wallet_adjust", Wallet.objects.get(organisation=organisation).pk)

    answer = post(root, page, amount="-2.00", note="too much", key="k1")

    assert "at most KES 1.00 is left" in said(answer)
    assert available(organisation) == KES


@pytest.mark.parametrize("deed", ["pause", "resume", "cancel"])
def test_only_who_may_change_campaigns_controls_them(clerk: Clerk, deed: str) -> None:
    campaign = send(make_organisation())

    denied = clerk("view_campaign").post(url("campaign_deed", campaign.pk, deed))

    assert denied.status_code == 403
    assert Campaign.objects.get().status == states.QUEUED


def test_a_retry_spends_money_so_it_needs_what_composing_needs(clerk: Clerk) -> None:
    campaign = send(make_organisation())
    client = clerk("view_campaign", "change_campaign")
    assert client.post(url("campaign_retry", campaign.pk)).status_code == 403


def test_composing_needs_its_permission(clerk: Clerk) -> None:
    assert clerk("view_campaign").get(url("campaign_add")).status_code == 403


def test_the_list_of_messages_needs_its_permission_also_as_csv(clerk: Clerk) -> None:
    campaign = send(make_organisation())
    client = clerk("view_campaign", "change_campaign")
    assert client.get(url("campaign_csv", campaign.pk)).status_code == 403
    assert client.get(url("message_changelist")).status_code == 403


def test_who_may_only_look_cannot_resolve(clerk: Clerk) -> None:
    campaign = make_unknown(make_organisation())
    message = Message.objects.get(campaign=campaign)

    post(
        clerk("view_message"), url("message_changelist"), action="resolve",
        _selected_action=str(message.pk), outcome="delivered", why="because",
    )  # fmt: skip

    message.refresh_from_db()
    assert message.status == states.UNKNOWN


def test_who_may_only_look_cannot_approve_a_sender(clerk: Clerk) -> None:
    organisation = make_organisation(sender="SHOP")
    sender = SenderId.objects.get(organisation=organisation)
    post(
        clerk("view_senderid"), url("senderid_changelist"), action="revoke",
        _selected_action=str(sender.pk),
    )  # fmt: skip
    sender.refresh_from_db()
    assert sender.status == "approved"


def test_the_switches_obey_two_permissions(clerk: Clerk) -> None:
    organisation = make_organisation()
    page = url("carrierstate_changelist")
    looks = clerk("view_carrierstate")
    carriers = clerk("view_carrierstate", "change_carrierstate")

    assert looks.post(page, {"what": "carrier:*", "why": "x"}).status_code == 403
    post(carriers, page, what=f"organisation:{organisation.pk}", why="x")
    organisation.refresh_from_db()
    assert organisation.is_active
    post(carriers, page, what="carrier:*", why="the carrier calls")
    assert stops.is_stopped("main")


def test_balances_are_on_the_dashboard_only_for_who_may_see_wallets(clerk: Clerk) -> None:
    organisation = make_organisation(balance_micros=0)
    page = url("campaign_dashboard")
    assert organisation.name not in said(clerk("view_campaign").get(page))
    assert organisation.name in said(clerk("view_campaign", "view_wallet").get(page))


@pytest.mark.parametrize(
    "page", ["campaign_dashboard", "decision_clicks", "carrierstate_changelist"]
)
def test_pages_of_our_own_are_closed_to_who_may_see_nothing(clerk: Clerk, page: str) -> None:
    assert clerk().get(url(page)).status_code == 403


@pytest.mark.parametrize("part", ["numbers", "charts"])
def test_a_part_that_is_polled_after_the_log_out_loads_the_page_anew(
    client: Client, part: str
) -> None:
    answer = client.get(url("campaign_dashboard_part", part))
    assert (answer.status_code, answer["HX-Refresh"], answer.content) == (204, "true", b"")


def test_nobody_edits_what_is_history(root: Client) -> None:
    organisation = make_organisation()
    purse = wallet.of(organisation)
    post(root, url("wallet_change", purse.pk), available_micros=1)
    assert root.get(url("ledgerentry_add")).status_code == 403
    assert root.get(url("message_add")).status_code == 403
    assert available(organisation) == purse.available_micros


def test_a_key_is_made_only_with_the_permission(clerk: Clerk) -> None:
    organisation = make_organisation()
    wanted = {"organisation": organisation.pk, "name": "x", "scopes": ["read"]}
    assert clerk("view_apikey").post(url("apikey_add"), wanted).status_code == 403
    assert not ApiKey.objects.exists()


def test_a_number_comes_off_the_suppression_list_only_with_the_permission(clerk: Clerk) -> None:
    row = Suppression.objects.create(number="254712345678")
    looks, may = clerk("view_suppression"), clerk("view_suppression", "delete_suppression")
    assert looks.post(url("suppression_delete", row.pk), {"post": "yes"}).status_code == 403
    post(may, url("suppression_delete", row.pk), post="yes")
    assert not Suppression.objects.exists()
