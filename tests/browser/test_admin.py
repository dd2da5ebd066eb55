"""What people do in the admin, done by a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from bulksms import ids, send_bulk, states
from bulksms.models import Campaign, Message, Organisation, Rate, Wallet
from bulksms.services import rates, wallet
from bulksms.testing import virtual_clock
from tests.admin.pages import make_unknown, send, url
from tests.browser.conftest import PHONE, Login
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier
from tests.wallets import KES, available

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Picture = Callable[..., None]

#: A carrier on an ordinary day: some phones are off.
ORDINARY = [{"match": {"share": 6}, "report": "undelivered"}]


@pytest.fixture(autouse=True)
def _same_ids() -> Any:
    """Pictures that do not change with every run."""
    ids.seed(11)
    yield
    ids.seed(None)


def shop(name: str = "Mama Mboga Ltd", **options: Any) -> Organisation:
    organisation = make_organisation(sender="MBOGA", **options)
    Organisation.objects.filter(pk=organisation.pk).update(name=name, slug="mboga")
    organisation.refresh_from_db()
    return organisation


def text(page: Any, selector: str) -> str:
    return " ".join(page.locator(selector).inner_text().split())


def wait_for(page: Any, selector: str, wanted: str) -> None:
    """Until the element says so, by itself."""
    page.locator(selector).filter(has_text=re.compile(f"^\\s*{re.escape(wanted)}\\s*$")).wait_for()


def fits(page: Any) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def an_hour_of_traffic(organisation: Organisation, house: FakeCarrier) -> None:
    """Campaigns of different size, a minute apart."""
    for minute in range(57):
        size = 6 + (minute * 7) % 11 + (18 if 20 <= minute < 32 else 0)
        first = 711_000_000 + minute * 1_000
        send_bulk(
            recipients=kenyan_numbers(size, first), message="Your bill is ready.",
            organisation=organisation,
        )  # fmt: skip
        house.run(seconds=20 + minute % 7)
        virtual_clock.advance(seconds=34)
        house.run(seconds=6 - minute % 7)
    some = Message.objects.filter(number__startswith="25471101")
    some.update(carrier="airtel")


def test_the_dashboard_follows_by_itself(login: Login, carrier: FakeCarrier) -> None:
    organisation = shop()
    page = login()
    page.goto(url("campaign_dashboard"))
    assert text(page, "#now-queued") == "0"

    send(organisation, 40)
    wait_for(page, "#now-queued", "40")
    carrier.run()

    wait_for(page, "#now-queued", "0")
    page.get_by_text("delivered 40").wait_for()
    assert page.locator("svg.bulksms-chart rect.delivered").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dashboard_is_drawn_in_light_and_dark(
    login: Login, picture: Picture, scheme: str
) -> None:
    busy_hour()
    page = login(color_scheme=scheme)
    page.goto(url("campaign_dashboard"))
    page.locator("svg.bulksms-chart polyline").wait_for()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    picture(page, f"dashboard-{scheme}", full_page=True)

    assert page.locator("#carriers svg.bulksms-hbar").count() >= 4
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}[scheme]


def busy_hour() -> None:
    poor = shop("Kiosk 7", balance_micros=45 * KES)
    Organisation.objects.filter(pk=poor.pk).update(slug="kiosk")
    organisation = shop()
    with fake_carrier(seed=3, rules=ORDINARY) as house:
        send(poor, 40)
        an_hour_of_traffic(organisation, house)
    make_unknown(organisation, 7)
    send(organisation, 230)


def test_every_page_fits_a_phone(login: Login, picture: Picture) -> None:
    busy_hour()
    page = login(viewport=PHONE, is_mobile=True, has_touch=True)
    campaign = Campaign.objects.order_by("-pk")[0]
    message = Message.objects.filter(campaign=campaign)[0]
    unfit = []
    for name, key in (
        ("campaign_dashboard", None), ("campaign_change", campaign.pk),
        ("message_change", message.pk), ("campaign_add", None), ("rate_import", None),
        ("carrierstate_changelist", None), ("wallet_change", Wallet.objects.all()[0].pk),
    ):  # fmt: skip
        page.goto(url(name, *([key] if key else [])))
        if not fits(page):
            unfit.append(name)
        if name == "campaign_dashboard":
            picture(page, "dashboard-phone")

    assert unfit == []


def test_composing_is_quoted_confirmed_and_sent(
    login: Login, picture: Picture, carrier: FakeCarrier
) -> None:
    organisation = shop()
    page = login()
    page.goto(url("campaign_changelist"))
    page.get_by_role("link", name="Add campaign").first.click()
    page.get_by_label("Organisation:").select_option(label=organisation.name)
    page.get_by_label("Message:").fill("Hi {name}, your bill of KES {amount} is ready.")
    page.get_by_label("Or a CSV file:").set_input_files(
        {
            "name": "bills.csv",
            "mimeType": "text/csv",
            "buffer": b"to,name,amount\n0712345678,Amina,120\n0723456789,Juma,85\n12345,Nobody,1\n",
        }
    )
    page.get_by_role("button", name="Get a quote").click()
    assert text(page, "#cost") == "KES 2.00"
    assert "12345" in text(page, "#refused")
    picture(page, "compose-quote")
    assert not Campaign.objects.exists()

    page.get_by_role("button", name="Send 2 messages").click()
    wait_for(page, "#done", "1 of 3")
    carrier.run()

    wait_for(page, "#status", "completed")
    texts = Message.objects.filter(status=states.DELIVERED).order_by("id")
    assert texts[0].text == "Hi Amina, your bill of KES 120 is ready."


def test_a_campaign_is_paused_and_resumed(
    login: Login, picture: Picture, carrier: FakeCarrier
) -> None:
    campaign = send(shop(), 60)
    page = login()
    page.goto(url("campaign_change", campaign.pk))

    page.get_by_role("button", name="Pause").click()
    assert text(page, "#status") == "paused"
    carrier.run()
    assert carrier.total_accepted == 0
    picture(page, "campaign-paused")

    page.get_by_role("button", name="Resume").click()
    carrier.run()
    wait_for(page, "#status", "completed")
    wait_for(page, "#done", "60 of 60")


def test_a_retry_shows_its_cost_before_it_spends_it(
    login: Login, picture: Picture, carrier: FakeCarrier
) -> None:
    organisation = shop(balance_micros=4 * KES)
    campaign = send(organisation, 10)
    carrier.run()
    wallet.top_up(organisation, 100 * KES, key="mpesa:QWE")
    page = login()
    page.goto(url("campaign_change", campaign.pk))

    page.get_by_role("button", name="Retry…").click()
    assert (text(page, "#queued"), text(page, "#cost")) == ("6", "KES 6.00")
    assert available(organisation) == 100 * KES
    picture(page, "retry-preview")
    page.get_by_role("button", name="Retry 6 messages").click()
    page.get_by_text("6 messages are queued again for KES 6.00.").wait_for()
    carrier.run()

    wait_for(page, "#status", "completed")
    assert carrier.total_accepted == 10


def test_rates_with_errors_are_shown_line_by_line_then_put_right(
    login: Login, picture: Picture
) -> None:
    page = login()
    header = ",".join(rates.COLUMNS)
    page.goto(url("rate_changelist"))
    page.get_by_role("link", name="Import rates").click()
    page.get_by_label("Lines:").fill(f"{header}\n,254,KES,cheap,\nnobody,256,UGX,30,\n")
    page.get_by_role("button", name="Look first").click()
    assert "2 price" in text(page, "#faults")
    assert "3 organisation" in text(page, "#faults")
    picture(page, "rate-import")
    assert not Rate.objects.exists()

    page.get_by_label("Lines:").fill(f"{header}\n,254,KES,0.80,\n,256,UGX,30,\n")
    page.get_by_role("button", name="Look first").click()
    assert "KES 0.80" in text(page, "#preview")
    page.get_by_role("button", name="Add them").click()

    page.get_by_text("2 rate(s) added").wait_for()
    assert Rate.objects.count() == 2


def test_a_top_up_is_denied_without_the_permission_and_done_with_it(
    login: Login, picture: Picture
) -> None:
    organisation = shop(balance_micros=KES)
    purse = Wallet.objects.get(organisation=organisation)
    page = login("view_wallet", "change_wallet")
    page.goto(url("wallet_change", purse.pk))
    assert page.get_by_role("link", name="Top up").count() == 0
    answer = page.goto(url("wallet_top_up", purse.pk))
    assert answer.status == 403

    page = login("view_wallet", "top_up_wallet")
    page.goto(url("wallet_change", purse.pk))
    page.get_by_role("link", name="Top up").click()
    page.get_by_label("Amount:").fill("1500.00")
    page.get_by_label("Provider:").fill("mpesa")
    page.get_by_label("Reference:").fill("QWE123RTY")
    page.get_by_role("button", name="Top up").click()

    wait_for(page, "#available", "KES 1501.00")
    picture(page, "wallet")
    assert available(organisation) == 1501 * KES


def test_an_unknown_message_is_resolved(login: Login, picture: Picture) -> None:
    organisation = shop()
    campaign = make_unknown(organisation, 2)
    page = login()
    page.goto(url("campaign_dashboard"))
    page.locator("#numbers").get_by_role("link", name="2", exact=True).click()
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("button", name="Resolve…").click()
    page.get_by_label("Not accepted").check()
    page.get_by_label("Why:").fill("The carrier says on the phone that it never came.")
    picture(page, "resolve-unknown")
    page.get_by_role("button", name="Decide").click()

    page.get_by_text("1 message(s): not-accepted.").wait_for()
    found = Message.objects.filter(campaign=campaign).values_list("status", flat=True)
    assert sorted(found) == [states.FAILED, states.UNKNOWN]


def test_the_story_of_a_message_is_on_one_page(
    login: Login, picture: Picture, carrier: FakeCarrier
) -> None:
    campaign = send(shop(), 3)
    carrier.run()
    page = login()
    page.goto(url("message_changelist"))
    assert "+2547••••000" in text(page, "#result_list")
    page.get_by_role("link", name=str(Message.objects.filter(campaign=campaign)[0].pk)).click()

    assert text(page, "#status") == "delivered"
    assert "capture" in text(page, "#content")
    picture(page, "message-story", full_page=True)
