"""Rates, keys, senders, suppression, organisations, switches, decisions, the dashboard."""

from __future__ import annotations

import datetime as dt
import re
from importlib import resources

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from bulksms import clock, ids, states
from bulksms.admin import charts
from bulksms.models import ApiKey, Decision, Organisation, Rate, SenderId, Submission, Suppression
from bulksms.services import insights, keys, rates, stops, wallet
from bulksms.testing import drain, virtual_clock
from tests.admin.pages import end_as, hidden, make_unknown, post, said, send, url
from tests.factories import make_organisation
from tests.harness import FakeCarrier, fake_carrier
from tests.wallets import KES

pytestmark = pytest.mark.django_db

HEADER = ",".join(rates.COLUMNS)


# Rates


def test_an_import_with_faults_shows_each_with_its_line_and_adds_nothing(root: Client) -> None:
    lines = f"{HEADER}\n,254,KES,cheap,\n,25x,KES,1,\n,256,KES,0.90,\n"

    page = said(root.post(url("rate_import"), {"lines": lines}))

    assert "2 faults; nothing was added." in page
    assert "2 price" in page
    assert "3 prefix Digits only" in page
    assert not Rate.objects.exists()


def test_an_import_is_previewed_and_then_added(root: Client) -> None:
    lines = f"{HEADER}\n,256,KES,0.90,2026-02-01T00:00+03:00\n"

    preview = root.post(url("rate_import"), {"lines": lines})
    assert "1 would be added, 0 there already" in said(preview)
    assert not Rate.objects.exists()
    done = post(root, url("rate_import"), confirmed=hidden(preview, "confirmed"))

    assert "1 rate(s) added" in said(done)
    assert Rate.objects.get().price_micros == 900_000
    assert LogEntry.objects.count() == 1


# Keys


def test_a_key_is_shown_once_and_works(root: Client) -> None:
    organisation = make_organisation()
    answer = post(
        root, url("apikey_add"), organisation=organisation.pk, name="till 4", scopes=["send"]
    )
    text = re.search(r"bsk_live_\S+", said(answer))
    assert text
    row = keys.authenticate(text[0])

    assert (row.name, row.scopes) == ("till 4", ["send"])
    assert "no-store" in answer["Cache-Control"]
    for page in (url("apikey_changelist"), url("apikey_change", row.pk)):
        assert text[0].split("_", 3)[3] not in root.get(page).content.decode()
        assert row.secret_sha256 not in root.get(page).content.decode()


def test_a_rotated_key_lives_on_for_a_day_beside_the_new_one(root: Client) -> None:
    old, secret = keys.create(make_organisation())
    answer = said(post(root, url("apikey_rotate", old.pk)))
    assert "bsk_live_" in answer
    assert ApiKey.objects.get(replaces=old)
    assert keys.authenticate(secret) == old
    virtual_clock.advance(hours=25)
    old.refresh_from_db()
    assert not keys.is_valid(old, clock.now())


def test_a_revoked_key_works_no_more(root: Client) -> None:
    row, _ = keys.create(make_organisation())
    post(root, url("apikey_changelist"), action="revoke", _selected_action=str(row.pk))
    row.refresh_from_db()
    assert not keys.is_valid(row, clock.now())


# Senders, suppression, organisations


def test_a_sender_is_added_pending_and_then_approved(root: Client) -> None:
    organisation = make_organisation(sender="")
    post(
        root, url("senderid_add"), organisation=organisation.pk, name="SHOP", status="pending",
        kind="transactional", network="",
    )  # fmt: skip
    row = SenderId.objects.get()
    assert row.status == "pending"
    post(root, url("senderid_changelist"), action="approve", _selected_action=str(row.pk))
    row.refresh_from_db()
    assert row.status == "approved"
    assert [e.get_change_message() for e in LogEntry.objects.order_by("pk")][-1] == "Approved."


def test_a_sender_that_no_network_would_take_is_refused(root: Client) -> None:
    organisation = make_organisation(sender="")
    answer = post(
        root, url("senderid_add"), organisation=organisation.pk, name="+254*", status="pending",
        kind="transactional", network="",
    )  # fmt: skip
    assert "Please correct the error" in said(answer)
    assert not SenderId.objects.exists()


def test_a_number_is_suppressed_as_people_write_it(root: Client) -> None:
    post(root, url("suppression_add"), number="0712 345 678", organisation="", reason="asked us")
    assert Suppression.objects.get().number == "254712345678"
    page = root.get(url("suppression_changelist")).content.decode()
    assert "+2547••••678" in page
    assert "254712345678" not in page


def test_suppressed_numbers_are_lifted_from_the_list(root: Client) -> None:
    one = Suppression.objects.create(number="254712345678")
    two = Suppression.objects.create(number="254712345679", organisation=make_organisation())
    post(
        root, url("suppression_changelist"), action="delete_selected", post="yes",
        _selected_action=[str(one.pk), str(two.pk)],
    )  # fmt: skip
    assert not Suppression.objects.exists()


def test_an_organisation_gets_its_wallet(root: Client) -> None:
    wanted = {
        "name": "Duka", "slug": "duka", "currency": "UGX", "default_region": "UG",
        "time_zone": "Africa/Kampala",
    }  # fmt: skip
    post(root, url("organisation_add"), **wanted)
    assert wallet.of(Organisation.objects.get(slug="duka")).currency == "UGX"
    again = said(post(root, url("organisation_add"), **wanted))
    assert "Organisation with this Slug already exists." in again


# Switches and the log


@pytest.mark.parametrize("what", ["carrier:*", "carrier:main"])
def test_a_carrier_is_stopped_with_a_reason_and_resumed(root: Client, what: str) -> None:
    page = url("carrierstate_changelist")
    assert "Say why" in said(post(root, page, what=what, why=""))
    assert not stops.is_stopped("main")

    assert "they call us" in said(post(root, page, what=what, why="they call us"))
    assert stops.is_stopped("main")
    post(root, page, what=what, resume="1")

    assert not stops.is_stopped("main")
    actions = Decision.objects.order_by("pk").values_list("action", "actor")
    assert list(actions) == [("stop", "root"), ("resume", "root")]


def test_an_organisation_is_stopped(root: Client) -> None:
    organisation = make_organisation()
    post(root, url("carrierstate_changelist"), what=f"organisation:{organisation.pk}", why="debt")
    organisation.refresh_from_db()
    assert not organisation.is_active
    assert "debt" in said(root.get(url("decision_changelist")))
    assert "Stopped. debt" in said(root.get(url("decision_clicks")))


# The dashboard


def test_the_minutes_show_what_was_sent_and_what_became_of_it(carrier: FakeCarrier) -> None:
    organisation = make_organisation()
    send(organisation, 3)
    drain()
    virtual_clock.advance(minutes=2)
    carrier.run()
    make_unknown(organisation, 2)

    hour = insights.minutes()

    assert len(hour.starts) == 60
    assert hour.totals == {"sent": 3, "delivered": 3, "failed": 0, "unknown": 2}
    assert hour.series["sent"][-3] == 3
    assert hour.series["delivered"][-1] == 3


def test_what_is_older_than_an_hour_is_gone(carrier: FakeCarrier) -> None:
    send(make_organisation(), 3)
    carrier.run()
    virtual_clock.advance(hours=2)
    assert not any(insights.minutes().totals.values())


def test_a_lost_request_counts_all_its_messages_as_unknown() -> None:
    now = clock.now()
    Submission.objects.create(
        id=ids.new(), carrier="main", slot=1, status=states.LOST, lease_until=now,
        message_ids=["a", "b"], created_at=now, ended_at=now,
    )  # fmt: skip
    assert insights.minutes().totals["unknown"] == 2


def test_carriers_show_rate_latency_and_queue() -> None:
    with fake_carrier(rules=[{"match": {}, "report": False}]):
        organisation = make_organisation()
        campaign, other = send(organisation, 3), send(organisation, 1, message="B")
        drain()
        virtual_clock.advance(seconds=30)
        end_as(campaign, states.DELIVERED)
        end_as(other, states.UNDELIVERED)
        send(organisation, 5, message="C")
        virtual_clock.advance(seconds=90)

    (main,) = insights.carriers()

    assert (main.delivered, main.ended, main.rate) == (3, 4, 75.0)
    assert (main.p50_s, main.p95_s) == (30, 30)
    assert (main.queued, main.oldest_s) == (5, 90)


def test_a_percentile_is_the_value_that_enough_do_not_exceed() -> None:
    counts = {1: 50, 2: 45, 9: 5}
    assert [insights.percentile(counts, p) for p in (50, 51, 95, 96)] == [1, 2, 2, 9]
    assert insights.percentile({}, 50) is None


def test_a_balance_runs_low_by_its_threshold_or_at_the_last_days_pace() -> None:
    rich = make_organisation(balance_micros=100 * KES)
    fast = make_organisation(balance_micros=10 * KES)
    warned = make_organisation(balance_micros=5 * KES)
    wallet.set_low_balance(warned, 6 * KES)
    send(fast, 8)
    send(rich, 8)

    low = {row.organisation: row.lasts_h for row in insights.low_balances()}

    assert low == {fast.name: 6.0, warned.name: None}


def test_the_dashboards_parts_are_fragments_that_the_page_polls(root: Client) -> None:
    page = root.get(url("campaign_dashboard")).content.decode()
    for part in ("numbers", "charts"):
        address = url("campaign_dashboard_part", part)
        assert f'hx-get="{address}"' in page
        assert "<html" not in root.get(address).content.decode()


def test_the_columns_of_the_chart_are_as_high_as_their_numbers() -> None:
    starts = insights.minutes().starts
    series = {name: [0] * 60 for name in insights.SERIES}
    series["delivered"][-1], series["failed"][-1], series["sent"][0] = 30, 10, 40

    chart = charts.per_minute(
        starts, series, stacked=("delivered", "failed"), line="sent", zone=dt.UTC
    )

    delivered, failed = chart.columns[-1].rects
    assert delivered.height == pytest.approx(3 * failed.height, rel=0.02)
    assert failed.y + failed.height == pytest.approx(delivered.y, abs=0.2)
    assert chart.columns[-1].title == "09:00: 0 sent, 30 delivered, 10 failed"


@pytest.mark.parametrize(("most", "axis"), [(1, 4), (5, 8), (40, 40), (401, 600), (9_999, 12_000)])
def test_an_axis_ends_at_a_round_number(most: int, axis: int) -> None:
    assert most <= charts.nice(most) <= max(4, 2.5 * most)
    assert charts.nice(most) == axis


def test_htmx_is_the_file_of_django_htmx() -> None:
    ours = resources.files("bulksms") / "static" / "bulksms" / "htmx.min.js"
    theirs = resources.files("django_htmx") / "static" / "django_htmx" / "htmx-2.min.js"
    assert ours.read_bytes() == theirs.read_bytes()
