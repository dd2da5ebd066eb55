"""Campaigns in the admin: compose with a quote, control, retry with a preview, CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from bulksms import states
from bulksms.models import Campaign, Message, Organisation
from bulksms.services import rates, wallet
from tests.admin.pages import end_as, hidden, post, said, send, url
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import FakeCarrier, fake_carrier
from tests.wallets import KES

pytestmark = pytest.mark.django_db

COMPOSE = "campaign_add"


def compose(client: Client, organisation: Organisation, recipients: str, **more: Any) -> Any:
    return post(
        client, url(COMPOSE), organisation=organisation.pk, message="Hi {name}", sender_id="",
        recipients=recipients, **more,
    )  # fmt: skip


def csv_file(text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", text.encode())


def log() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_a_quote_says_cost_and_faults_and_sends_nothing(root: Client) -> None:
    organisation = make_organisation()

    page = said(compose(root, organisation, "0712345678\n0712 345 678\n12345\n254723456789"))

    assert "Cost KES 2.00" in page
    assert "Would be sent 2 of 3" in page
    assert "Duplicates left out 1" in page
    assert "12345 A short code of KE cannot receive bulk SMS." in page
    assert not Campaign.objects.exists()


def test_a_confirmed_quote_is_sent_once_however_often_it_is_confirmed(root: Client) -> None:
    quoted = hidden(compose(root, make_organisation(), "0712345678"), "confirmed")

    first = post(root, url(COMPOSE), confirmed=quoted)
    post(root, url(COMPOSE), confirmed=quoted)

    assert "1 queued, 0 not sent." in said(first)
    assert Message.objects.get().number == "254712345678"
    assert log() == ["Composed: 1 messages queued."]


def test_a_quote_that_became_dearer_is_not_sent(root: Client) -> None:
    organisation = make_organisation()
    quoted = hidden(compose(root, organisation, "0712345678"), "confirmed")
    dearer = f"{','.join(rates.COLUMNS)}\n{organisation.slug},254,KES,9,\n"
    preview = root.post(url("rate_import"), {"lines": dearer})
    post(root, url("rate_import"), confirmed=hidden(preview, "confirmed"))

    answer = post(root, url(COMPOSE), confirmed=quoted)

    assert "more than max_cost KES 1.00" in said(answer)
    assert not Campaign.objects.exists()


def test_a_quote_cannot_be_forged(root: Client) -> None:
    answer = post(root, url(COMPOSE), confirmed="eyJvcmdhbmlzYXRpb24iOjF9:forged")
    assert "too old" in said(answer)


def test_the_columns_of_a_csv_fill_the_placeholders(root: Client) -> None:
    organisation = make_organisation()
    people = csv_file("\ufeffname,to\nAmina,'+254712345678\nJuma,254723456789\n")

    page = compose(root, organisation, "", file=people)
    post(root, url(COMPOSE), confirmed=hidden(page, "confirmed"))

    sent = Message.objects.order_by("id").values_list("number", "text")
    assert list(sent) == [("254712345678", "Hi Amina"), ("254723456789", "Hi Juma")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,city\nA,B\n", "one of them is 'to'"),
        ("to,name\n254712345678\n", "Line 2 has not as many cells"),
        ("", "one of them is 'to'"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(root: Client, text: str, why: str) -> None:
    page = compose(root, make_organisation(), "", file=csv_file(text or "\n"))
    assert why in said(page)


def test_what_the_service_refuses_is_said_beside_the_form(root: Client) -> None:
    page = said(compose(root, make_organisation(sender=""), "0712345678"))
    assert "No sender_id was given" in page
    assert "Get a quote" in str(compose(root, make_organisation(sender=""), "07").content)


def test_pause_resume_and_cancel_call_the_service_and_are_logged(root: Client) -> None:
    campaign = send(make_organisation())
    found = []
    for deed in ("pause", "resume", "cancel"):
        answer = post(root, url("campaign_deed", campaign.pk, deed))
        campaign.refresh_from_db()
        found.append((campaign.status, "3 messages" in said(answer)))

    assert found == [(states.PAUSED, True), (states.QUEUED, True), (states.CANCELLED, True)]
    assert log() == ["Paused: 3 messages.", "Resumed: 3 messages.", "Cancelled: 3 messages."]


def test_a_get_never_pauses(root: Client) -> None:
    campaign = send(make_organisation())
    root.get(url("campaign_deed", campaign.pk, "pause"))
    campaign.refresh_from_db()
    assert campaign.status == states.QUEUED


def test_what_cannot_be_paused_says_so(root: Client, carrier: FakeCarrier) -> None:
    campaign = send(make_organisation())
    carrier.run()
    answer = post(root, url("campaign_deed", campaign.pk, "pause"))
    assert "Nothing of this campaign waits any more" in said(answer)
    assert log() == []


def test_several_campaigns_are_paused_from_the_list(root: Client) -> None:
    organisation = make_organisation()
    chosen = [str(send(organisation, 1).pk), str(send(organisation, 1).pk)]
    post(root, url("campaign_changelist"), action="pause", _selected_action=chosen)
    assert set(Campaign.objects.values_list("status", flat=True)) == {states.PAUSED}


def test_a_retry_is_previewed_with_its_cost_and_done_only_when_confirmed(root: Client) -> None:
    organisation = make_organisation(balance_micros=KES)
    campaign = send(organisation)
    wallet.top_up(organisation, 10 * KES, key="more")
    page = url("campaign_retry", campaign.pk)

    preview = said(post(root, page))
    campaign.refresh_from_db()
    assert campaign.queued_count == 1
    assert "Would be queued again 2" in preview
    assert "Cost today KES 2.00" in preview

    done = said(post(root, page, confirmed="1"))
    campaign.refresh_from_db()
    assert campaign.queued_count == 3
    assert "2 messages are queued again for KES 2.00" in done


def test_the_page_shows_counts_shares_and_money(root: Client, carrier: FakeCarrier) -> None:
    campaign = send(make_organisation(), 4)
    carrier.run()

    page = said(root.get(url("campaign_change", campaign.pk)))

    assert "Status completed" in page
    assert "Done 4 of 4" in page
    assert "Cost KES 4.00" in page
    assert "delivered 4" in page


def test_a_campaign_under_way_polls_and_a_finished_one_does_not(
    root: Client, carrier: FakeCarrier
) -> None:
    campaign = send(make_organisation())
    page = url("campaign_change", campaign.pk)
    assert b"hx-get" in root.get(page).content
    carrier.run()
    assert b"hx-get" not in root.get(page).content


def test_the_csv_neutralises_formulas_and_keeps_the_plus(root: Client) -> None:
    campaign = send(make_organisation(), 2)
    first = Message.objects.filter(campaign=campaign).order_by("id")[0]
    Message.objects.filter(pk=first.pk).update(error_detail="=HYPERLINK(1)", input="+2547 1200")

    response = root.get(url("campaign_csv", campaign.pk))
    body = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(body)))

    assert [row["number"] for row in rows] == [f"+{number}" for number in kenyan_numbers(2)]
    assert rows[0]["error_detail"] == "'=HYPERLINK(1)"
    assert rows[0]["input"] == "'+2547 1200"
    assert rows[0]["cost_KES"] == "1.00"


def test_the_csv_is_streamed_page_by_page(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulksms.admin.exports.PAGE", 2)
    campaign = send(make_organisation(), 5)
    response = root.get(url("campaign_csv", campaign.pk))
    assert response.streaming
    assert len(list(response.streaming_content)) == 6


@pytest.mark.parametrize("by", ["id", "reference", "organisation"])
def test_a_campaign_is_found(root: Client, by: str) -> None:
    wanted = send(make_organisation(), 1, reference="INV-7")
    other = send(make_organisation(), 1)
    term = {"id": wanted.pk, "reference": "INV-7", "organisation": wanted.organisation.slug}[by]

    page = root.get(url("campaign_changelist"), {"q": term}).content.decode()

    assert str(wanted.pk) in page
    assert str(other.pk) not in page


def test_what_ended_otherwise_than_delivered_shows_as_not_delivered(root: Client) -> None:
    with fake_carrier(rules=[{"match": {}, "report": False}]):
        campaign = send(make_organisation(), 4)
        end_as(campaign, states.UNDELIVERED)
    assert "not delivered 4" in said(root.get(url("campaign_change", campaign.pk)))
