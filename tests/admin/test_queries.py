"""Every list and every page asks the same number of questions, however many rows there are."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bulksms import clock, states
from bulksms.models import (
    Decision,
    Message,
    Report,
    Wallet,
)
from bulksms.services import keys, organisations, rates, retrying, stops, suppression, wallet
from bulksms.testing import drain
from tests.admin.pages import end_as, make_unknown, post, send, url
from tests.factories import kenyan_numbers, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db

#: A list shows three rows, then thirty.
FEW, MANY = 3, 27
KES = 1_000_000


def grow(how_many: int) -> None:
    """So many more rows of everything that a list can show."""
    now = clock.now()
    with fake_carrier():
        for number in range(how_many):
            organisation = make_organisation()
            send(organisation, 1)
            keys.create(organisation)
            organisations.register_sender(organisation, f"NAME{number}")
            suppression.suppress(kenyan_numbers(1), organisation=organisation)
            stops.stop(f"carrier-{organisation.pk}", actor="amina", why="test")
        drain()
    make_unknown(make_organisation(), how_many)
    start = Report.objects.count()
    Report.objects.bulk_create(
        Report(
            carrier="main", dedupe_key=f"r{start + n}", status=states.UNMATCHED, received_at=now,
            raw="{}", state=states.DELIVERED,
        )
        for n in range(how_many)
    )  # fmt: skip


def questions(client: Client, ask: Callable[[Client], Any]) -> list[str]:
    """The queries of one page, which must be a good one."""
    with CaptureQueriesContext(connection) as asked:
        response = ask(client)
        if response.streaming:
            b"".join(response.streaming_content)
    assert response.status_code == 200, response
    return [query["sql"] for query in asked.captured_queries]


def assert_constant(client: Client, ask: Callable[[Client], Any], more: Callable[[], Any]) -> int:
    ask(client)  # fills Django's own caches: content types
    few = questions(client, ask)
    more()
    many = questions(client, ask)
    assert len(few) == len(many), "\n".join(sorted(set(many) - set(few)))
    return len(many)


LISTS = [
    "apikey", "campaign", "carrierstate", "decision", "ledgerentry", "message", "organisation",
    "rate", "report", "senderid", "suppression", "wallet",
]  # fmt: skip


def test_no_list_is_forgotten_here() -> None:
    ours = {
        model._meta.model_name for model in admin.site._registry
        if model._meta.app_label == "bulksms"
    }  # fmt: skip
    assert ours == set(LISTS)


def test_every_list_asks_the_same_whatever_it_shows(root: Client) -> None:
    addresses = {name: url(f"{name}_changelist") for name in LISTS}
    addresses |= {
        "unknown": f"{addresses['message']}?state=unknown",
        "by number": f"{addresses['message']}?q=2547",
        "unmatched": f"{addresses['report']}?status=unmatched",
        "dashboard": url("campaign_dashboard"),
        "numbers": url("campaign_dashboard_part", "numbers"),
        "charts": url("campaign_dashboard_part", "charts"),
        "clicks": url("decision_clicks"),
        "all of it": reverse("admin:app_list", args=("bulksms",)),
    }
    grow(FEW)
    few = {name: questions(root, lambda c, a=a: c.get(a)) for name, a in addresses.items()}
    grow(MANY)
    many = {name: questions(root, lambda c, a=a: c.get(a)) for name, a in addresses.items()}

    found = {name: (len(few[name]), len(many[name])) for name in addresses}
    assert {name: pair for name, pair in found.items() if pair[0] != pair[1]} == {}
    assert max(pair[1] for name, pair in found.items() if name not in ("dashboard",)) <= 20, found


def test_no_list_counts_a_table(root: Client) -> None:
    grow(FEW)
    for name in set(LISTS) - {"carrierstate"}:
        asked = questions(root, lambda c, name=name: c.get(url(f"{name}_changelist")))
        counts = [sql for sql in asked if "COUNT(" in sql.upper()]
        assert counts == [], name


def test_no_list_reads_a_large_table_without_a_limit(root: Client) -> None:
    grow(FEW)
    large = ("message", "report", "ledgerentry", "submission", "campaign")
    for name in set(LISTS) - {"carrierstate"}:
        asked = questions(root, lambda c, name=name: c.get(url(f"{name}_changelist")))
        endless = [
            sql
            for sql in asked
            if any(f'FROM "bulksms_{table}"' in sql for table in large)
            and not ("LIMIT" in sql or f'"bulksms_{name}"."id" IN (' in sql)
        ]
        assert endless == [], name


def test_a_page_that_is_not_the_first_shows_the_next_rows(root: Client) -> None:
    Decision.objects.bulk_create(
        [Decision(actor=f"actor-{n:03}", action="test", why="", scope={}) for n in range(120)]
    )
    second = root.get(url("decision_changelist"), {"p": 2}).content.decode()
    assert "actor-069" in second
    assert "actor-119" not in second
    assert "120 decisions" in second


def test_the_campaigns_pages_ask_the_same_whatever_its_size(root: Client) -> None:
    organisation = make_organisation()
    with fake_carrier():
        small, large = send(organisation, FEW), send(organisation, 10 * FEW)
        drain()
    for name in ("campaign_change", "campaign_progress", "campaign_csv"):
        questions(root, lambda c, name=name: c.get(url(name, small.pk)))
        few = questions(root, lambda c, name=name: c.get(url(name, small.pk)))
        many = questions(root, lambda c, name=name: c.get(url(name, large.pk)))
        assert len(few) == len(many), name


def test_the_retry_preview_asks_the_same_whatever_its_size(root: Client) -> None:
    organisation = make_organisation(balance_micros=2 * KES, sender="SHOP")
    small, large = send(organisation, FEW), send(organisation, 10 * FEW)
    wallet.top_up(organisation, 100 * KES, key="more")
    few = questions(root, lambda c: post(c, url("campaign_retry", small.pk)))
    many = questions(root, lambda c: post(c, url("campaign_retry", large.pk)))
    assert len(few) == len(many)


def test_the_messages_page_asks_the_same_however_much_happened(root: Client) -> None:
    organisation = make_organisation()
    with fake_carrier(rules=[{"match": {}, "report": False}]):
        campaign = send(organisation, 1)
        message = Message.objects.get(campaign=campaign)
        end_as(campaign, states.UNDELIVERED)

        def more() -> None:
            for _ in range(FEW):
                retrying.retry(organisation, campaign.pk, retrying.Wanted([message.pk]))
                end_as(campaign, states.UNDELIVERED)

        page = url("message_change", message.pk)
        assert assert_constant(root, lambda c: c.get(page), more) <= 20


def test_the_wallets_page_asks_the_same_however_much_moved(root: Client) -> None:
    organisation = make_organisation()
    page = url("wallet_change", Wallet.objects.get(organisation=organisation).pk)

    def more() -> None:
        for _ in range(MANY):
            send(organisation, 1)

    assert_constant(root, lambda c: c.get(page), more)


def test_every_other_page_of_a_row_asks_the_same_whatever_else_there_is(root: Client) -> None:
    grow(1)
    pages = {}
    for model in admin.site._registry:
        if model._meta.app_label == "bulksms":
            name, first = model._meta.model_name, model._default_manager.order_by("pk")[0]
            pages[name] = url(f"{name}_change", first.pk)
            pages[f"{name} history"] = url(f"{name}_history", first.pk)
    for page in pages.values():
        root.get(page)  # fills Django's own caches: content types
    few = {
        name: len(questions(root, lambda c, page=page: c.get(page))) for name, page in pages.items()
    }
    grow(FEW)
    many = {
        name: len(questions(root, lambda c, page=page: c.get(page))) for name, page in pages.items()
    }
    assert few == many
    assert len(pages) == 2 * len(LISTS)


def test_pages_with_a_choice_of_organisations_ask_the_same_however_many(root: Client) -> None:
    grow(1)
    names = ("apikey_add", "senderid_add", "suppression_add", "campaign_add", "rate_import")
    few = [len(questions(root, lambda c, name=name: c.get(url(name)))) for name in names]
    grow(FEW)
    many = [len(questions(root, lambda c, name=name: c.get(url(name)))) for name in names]
    assert few == many


def test_a_quote_asks_the_same_however_many_recipients(root: Client) -> None:
    organisation = make_organisation()

    def quote(how_many: int) -> list[str]:
        lines = "\n".join(kenyan_numbers(how_many))
        wanted = {"organisation": organisation.pk, "message": "Hi", "recipients": lines}
        return questions(root, lambda c: c.post(url("campaign_add"), wanted))

    assert len(quote(FEW)) == len(quote(10 * MANY))


def test_resolving_asks_the_same_however_many_are_selected(root: Client) -> None:
    organisation = make_organisation()

    def ask(how_many: int) -> list[str]:
        campaign = make_unknown(organisation, how_many)
        rows = Message.objects.filter(campaign=campaign)
        chosen = [str(pk) for pk in rows.values_list("pk", flat=True)]
        data = {"action": "resolve", "_selected_action": chosen}
        return questions(root, lambda c: c.post(url("message_changelist"), data))

    assert len(ask(FEW)) == len(ask(MANY))


def test_a_rate_import_asks_the_same_however_many_lines(root: Client) -> None:
    def preview(how_many: int) -> list[str]:
        text = io.StringIO()
        text.write(",".join(rates.COLUMNS) + "\n")
        for n in range(how_many):
            text.write(f",2547{n:03},KES,0.80,2026-02-01T00:00+03:00\n")
        return questions(root, lambda c: c.post(url("rate_import"), {"lines": text.getvalue()}))

    assert len(preview(FEW)) == len(preview(10 * MANY))
