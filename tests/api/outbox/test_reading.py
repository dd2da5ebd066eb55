"""The outbox, its entries, prices and the balance: what they say, and to whom."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import clock, states
from bulksms.models import Campaign, Organisation
from bulksms.services import entries, organisations, wallet
from bulksms.testing import virtual_clock
from tests.api.helpers import Api
from tests.api.outbox.helpers import (
    OUTBOX,
    SEND_BULK,
    assert_error,
    bulk,
    entry,
    faults,
    item,
    single,
)
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

COSTS, HISTORY = "/api/sms-costs/current", "/api/sms-costs/history"
BALANCE = "/api/sms-wallet/balance"


def listed(api: Api, **filters: Any) -> list[dict[str, Any]]:
    answer = api.get(OUTBOX, filters)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["outboxEntries"])


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["messageName"] for one in found]


# The list


def test_the_list_has_the_newest_first_and_both_kinds(host, api) -> None:
    bulk(api, *kenyan_numbers(2), messageName="bulk")
    virtual_clock.advance(seconds=1)
    single(api, messageName="single")
    virtual_clock.advance(seconds=1)
    api.post(SEND_BULK, [item(messageName="loop")])

    found = listed(api)

    assert names(found) == ["loop", "single", "bulk"]
    assert [one["totalCost"] for one in found] == [0.6, 0.6, 1.2]
    assert found[1]["recipientPhoneNumber"] == "+254712345678"


def test_a_listed_entry_is_the_entry_without_its_rows(api, carrier: FakeCarrier) -> None:
    bulk(api, *kenyan_numbers(2), "12", tags=["t"], userId="u")
    carrier.run()

    (shown,) = listed(api)

    whole = entry(api, shown["outboxId"])
    assert shown == {
        name: None if name == "recipients" else value
        for name, value in whole.items()
        if name != "nestedOutbox"
    }


def test_pages_follow_each_other_without_gap_or_repeat(api) -> None:
    for number in range(5):
        single(api, messageName=str(number))
        virtual_clock.advance(seconds=1)
    seen: list[str] = []
    parameters: dict[str, Any] = {"pageSize": 2}

    for _ in range(3):
        page = api.get(OUTBOX, parameters).json()
        seen += names(page["outboxEntries"])
        parameters["cursor"] = page["nextCursor"]

    assert seen == ["4", "3", "2", "1", "0"]
    assert page["nextCursor"] is None


def test_filters_by_status(poor, carrier: FakeCarrier) -> None:
    bulk(poor, "0712345678", "12", messageName="partial")
    bulk(poor, "12", messageName="failed")
    single(poor, messageName="sent")
    carrier.run()
    bulk(poor, "0712345678", messageName="failed too")
    organisation = Organisation.objects.get(is_house=False)
    wallet.top_up(organisation, 600_000, key="more")
    single(poor, messageName="pending")

    found = {status: set(names(listed(poor, status=status))) for status in entries.STATUSES}

    assert found == {
        "pending": {"pending"},
        "sent": {"sent"},
        "failed": {"failed", "failed too"},
        "partial": {"partial"},
    }


LABELS: list[tuple[dict[str, str], set[str]]] = [
    ({"tag": "a"}, {"one", "two"}),
    ({"tag": "ü"}, {"two"}),
    ({"tag": 'q"%'}, {"two"}),
    ({"tag": "x"}, set()),
    ({"messageName": "one"}, {"one"}),
    ({"userId": "u"}, {"one", "loop"}),
    ({"userId": "u", "tag": "a"}, {"one"}),
    ({"userId": "u", "messageName": "second"}, set()),
    ({"messageName": "second"}, {"loop"}),
    ({"tag": "b", "messageName": "second"}, {"loop"}),
]


def test_filters_by_label_also_of_a_loops_items(api) -> None:
    bulk(api, "0712345678", messageName="one", tags=["a"], userId="u")
    bulk(api, "0712345678", messageName="two", tags=["a", "ü", 'q"%'])
    items = [item(messageName="first", userId="u"), item(messageName="second", tags=["b"])]
    loop = api.post(SEND_BULK, items).json()["bulkOutboxId"]

    for filters, expected in LABELS:
        found = listed(api, **filters)
        named = {"loop" if one["outboxId"] == loop else one["messageName"] for one in found}
        assert named == expected, filters


def test_a_page_takes_as_many_statements_as_an_entry_or_two(api) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            listed(api, pageSize=100)
        return len(captured)

    bulk(api, *kenyan_numbers(2))
    single(api)
    statements()  # the first one makes the row of the request limit
    few = statements()
    for _ in range(5):
        bulk(api, *kenyan_numbers(3))
        single(api)

    assert statements() == few


WRONG: list[tuple[dict[str, str], tuple[str, str]]] = [
    ({"status": "lost"}, ("status", "invalid_value")),
    ({"status": ""}, ("status", "invalid_value")),
    ({"tag": ""}, ("tag", "invalid_value")),
    ({"tag": "\x00"}, ("tag", "invalid_value")),
    ({"messageName": "x" * 256}, ("messageName", "invalid_value")),
    ({"userId": "\x00"}, ("userId", "invalid_value")),
    ({"pageSize": "0"}, ("pageSize", "invalid_value")),
    ({"pageSize": "101"}, ("pageSize", "invalid_value")),
    ({"pageSize": "٣"}, ("pageSize", "invalid_value")),
    ({"pageSize": "9" * 5_000}, ("pageSize", "invalid_value")),
    ({"cursor": "x"}, ("cursor", "invalid_cursor")),
    ({"cursor": "_" * 22}, ("cursor", "invalid_cursor")),
    ({"cursor": "\x00" * 22}, ("cursor", "invalid_cursor")),
    ({"page": "2"}, ("page", "unknown_field")),
]


def test_bad_parameters(host, api) -> None:
    for parameters, expected in WRONG:
        answer = api.get(OUTBOX, parameters)
        assert faults(assert_error(answer, 400, expected[1])) == [expected]


# One entry


def test_what_is_no_entry_is_not_found(host, api) -> None:
    for text in ("x", "0", "%00", str(uuid.UUID(int=0)), "a" * 5_000):
        assert_error(api.get(f"{OUTBOX}/{text}"), 404, "not_found")


def test_an_entry_takes_as_many_statements_as_a_large_one(api) -> None:
    def statements(recipients: int) -> int:
        outbox_id = bulk(api, *kenyan_numbers(recipients)).json()["bulkOutboxEntry"]["outboxId"]
        with CaptureQueriesContext(connection) as captured:
            entry(api, outbox_id)
        return len(captured)

    statements(1)  # the first one makes the row of the request limit
    assert statements(2) == statements(60)


@pytest.mark.parametrize(
    ("status", "is_done", "shown"),
    [
        ("queued", False, "pending"),
        ("sending", False, "pending"),
        ("sent", False, "pending"),
        ("unknown", False, "pending"),
        ("sent", True, "sent"),
        ("delivered", True, "sent"),
        ("unconfirmed", True, "sent"),
        ("undelivered", True, "failed"),
        ("expired", True, "failed"),
        ("rejected", True, "failed"),
        ("failed", True, "failed"),
        ("skipped", True, "failed"),
        ("cancelled", True, "failed"),
    ],
)
def test_states_as_this_dialect_shows_them(status, is_done, shown) -> None:
    """``sent`` and done: the carrier has no reports, so nothing more is expected."""
    done_at = clock.now() if is_done else None
    row = entries.Row(
        uuid.uuid4(), "254712345678", "", None, None, 1, 1, "held", 1, 0, status, "", "", 1, None,
        None, done_at,
    )  # fmt: skip

    assert row.state == shown


def test_every_state_is_shown_as_something() -> None:
    shown = {"queued", "sending", "sent", "unknown", "delivered", "unconfirmed", "undelivered",
             "expired", "rejected", "failed", "skipped", "cancelled"}  # fmt: skip

    assert set(states.MESSAGE_STATES) == shown


@pytest.mark.parametrize(
    ("charge", "refunded", "units", "paid"),
    [
        ("none", 0, 0, 0), ("held", 0, 2, 10), ("captured", 0, 2, 10), ("released", 0, 0, 0),
        ("refunded", 10, 0, 0), ("refunded", 4, 2, 6),
    ],
)  # fmt: skip
def test_units_and_cost_are_what_is_held_or_captured(charge, refunded, units, paid) -> None:
    row = entries.Row(
        uuid.uuid4(), "1", "", None, None, 2, 5, charge, 10, refunded, "delivered", "", "", 1,
        None, None, None,
    )  # fmt: skip

    assert (row.paid_units, row.paid_micros) == (units, paid)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"queued_count": 1, "failed_count": 2}, "pending"),
        ({"delivered_count": 3}, "sent"),
        ({"delivered_count": 1, "unconfirmed_count": 1, "awaiting_report_count": 1}, "sent"),
        ({"failed_count": 1, "skipped_count": 1, "cancelled_count": 1}, "failed"),
        ({"delivered_count": 2, "undelivered_count": 1}, "partial"),
    ],
)
def test_the_status_of_a_bulk_entry(counts, expected) -> None:
    done = 3 - counts.get("queued_count", 0)
    campaign = Campaign(recipients_count=3, done_count=done, **counts)

    assert entries.state_of(campaign) == expected


# Prices


def test_current_costs(host, api, organisation) -> None:
    organisations.set_rate(2_000_000, currency="KES", prefix="256", at=clock.now())
    own = dt.timedelta(days=1)

    body = api.get(COSTS).json()

    since = (clock.now() - own).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert body == {
        "status": "success",
        "unitCost": 0.6,
        "currency": "KES",
        "costs": [{"prefix": "", "costPerUnit": 0.6, "isOwn": True, "effectiveFrom": since}],
    }


def test_default_prices_count_where_there_is_no_own_one() -> None:
    organisation = make_organisation(price_micros=None)
    now = clock.now()
    organisations.set_rate(900_000, currency="KES", prefix="254", at=now)
    organisations.set_rate(
        800_000, currency="KES", prefix="2547", at=now, organisation=organisation
    )
    organisations.set_rate(700_000, currency="KES", prefix="254712", at=now)
    organisations.set_rate(100_000, currency="USD", prefix="254", at=now)

    body = Api(make_key(organisation)).get(COSTS).json()

    assert [(p["prefix"], p["costPerUnit"], p["isOwn"]) for p in body["costs"]] == [
        ("254", 0.9, False),
        ("2547", 0.8, True),
    ]
    assert body["unitCost"] == 0.8


def test_no_rate_is_no_price() -> None:
    body = Api(make_key(make_organisation(price_micros=None))).get(COSTS).json()

    assert (body["unitCost"], body["costs"]) == (None, [])


def test_cost_history_with_what_is_to_come(host, api, organisation) -> None:
    now = clock.now()
    for days, price in ((1, 700_000), (2, 800_000)):
        at = now + dt.timedelta(days=days)
        organisations.set_rate(price, currency="KES", organisation=organisation, at=at)
    organisations.set_rate(5, currency="KES", organisation=make_organisation(), at=now)
    organisations.set_rate(900_000, currency="KES", at=now)

    pages = [api.get(HISTORY, {"pageSize": 2}).json()]
    pages.append(api.get(HISTORY, {"pageSize": 2, "cursor": pages[0]["nextCursor"]}).json())

    found = [price for page in pages for price in page["history"]]
    assert [(p["costPerUnit"], p["isOwn"], p["effectiveUntil"]) for p in found] == [
        (0.8, True, None),
        (0.7, True, "2026-01-07T09:00:00Z"),
        (0.9, False, None),
        (0.6, True, "2026-01-06T09:00:00Z"),
    ]
    assert pages[1]["nextCursor"] is None


def test_a_cursor_of_prices_that_is_none(api) -> None:
    for cursor in ("x", "", "r", "r999999999", "r" + "9" * 30, "r٣"):
        assert_error(api.get(HISTORY, {"cursor": cursor}), 400, "invalid_cursor")


# The balance


def test_the_balance(host, api) -> None:
    bulk(api, *kenyan_numbers(3))

    answer = api.get(BALANCE)

    assert answer.json() == {
        "status": "success",
        "balance": 58.2,
        "held": 1.8,
        "currency": "KES",
        "unitCost": 0.6,
        "smsBalance": 97,
    }


def test_credit_buys_sms_too_and_without_limit_there_is_no_number() -> None:
    some = make_organisation(0, credit_limit_micros=3_500_000)
    endless = make_organisation(0, credit_limit_micros=None)

    found = [Api(make_key(one)).get(BALANCE).json() for one in (some, endless)]

    assert [(body["balance"], body["smsBalance"]) for body in found] == [(0.0, 3), (0.0, None)]


# Tenants


class TestTenants:
    """Nobody sees anything of another organisation's, not even that it is there."""

    @pytest.fixture
    def theirs(self) -> tuple[Api, dict[str, Any]]:
        other = Api(make_key(make_organisation()))
        found = bulk(other, *kenyan_numbers(2), messageName="theirs", tags=["t"])
        return other, dict(found.json()["bulkOutboxEntry"])

    def test_an_entry_of_theirs_is_not_found(self, host, api, theirs) -> None:
        _, found = theirs
        for id_ in (found["outboxId"], found["nestedOutbox"][0]["nestedOutboxId"]):
            body = assert_error(api.get(f"{OUTBOX}/{id_}"), 404, "not_found")
            assert body["message"] == f"There is no outbox entry {id_}."

    def test_the_list_has_nothing_of_theirs(self, api, theirs) -> None:
        assert listed(api) == listed(api, tag="t") == listed(api, messageName="theirs") == []

    def test_a_cursor_of_theirs_is_no_cursor(self, host, api, theirs) -> None:
        other, _ = theirs
        bulk(other, "0712345678")
        cursor = other.get(OUTBOX, {"pageSize": 1}).json()["nextCursor"]
        assert cursor

        assert_error(api.get(OUTBOX, {"cursor": cursor}), 400, "invalid_cursor")

    def test_a_price_of_theirs_is_no_cursor(self, api) -> None:
        rate = organisations.set_rate(
            5, currency="KES", organisation=make_organisation(), at=clock.now()
        )

        assert_error(api.get(HISTORY, {"cursor": f"r{rate.pk}"}), 400, "invalid_cursor")


def test_no_number_and_no_text_is_in_a_repr(api) -> None:
    """What tracebacks and logs print."""
    sent = bulk(api, "0712345678", "0723456789", message="My secret").json()["bulkOutboxEntry"]
    organisation = Organisation.objects.get(is_house=False)

    for id_ in (sent["outboxId"], sent["nestedOutbox"][0]["nestedOutboxId"]):
        found = entries.find(organisation, uuid.UUID(id_))
        rows = found.rows if isinstance(found, entries.Bulk) else [found.row]
        shown = repr(found) + "".join(map(repr, rows or ()))
        assert "12345678" not in shown
        assert "secret" not in shown
