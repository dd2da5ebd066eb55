"""send_to: the rows of a QuerySet, each once, in chunks, with fields as placeholders."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bulksms import clock, send_to
from bulksms.exceptions import InvalidRequest, PaymentRequired
from bulksms.models import ApiKey, Campaign, Message, Organisation, Wallet
from bulksms.services import audience
from bulksms.services.audience import Audience
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db

KES = 1_000_000


@pytest.fixture
def shop() -> Organisation:
    return make_organisation()


@pytest.fixture
def small_chunks(settings: Any) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_RECIPIENTS": 2}


def make_users(how_many: int, first: int = 712_000_000) -> None:
    """Users whose name is a number: "254712000000", called N0, N1, ..."""
    User.objects.bulk_create(
        User(username=number, first_name=f"N{place}")
        for place, number in enumerate(kenyan_numbers(how_many, first))
    )


def texts() -> list[str]:
    return sorted(text or "" for text in Message.objects.values_list("text", flat=True))


def test_placeholders_are_fields_of_their_names(shop: Organisation) -> None:
    make_users(3)
    sent = send_to(
        User.objects.all(), phone="username", message="Hi {first_name}", organisation=shop
    )
    assert (sent.queued, sent.failed, sent.total_cost_micros) == (3, 0, 3 * KES)
    assert texts() == ["Hi N0", "Hi N1", "Hi N2"]


def test_rows_go_in_chunks_in_one_query_each(shop: Organisation, small_chunks: None) -> None:
    make_users(5)
    seen: list[int] = []
    with CaptureQueriesContext(connection) as queries:
        sent = send_to(
            User.objects.order_by("-first_name"), phone="username", message="Hi",
            organisation=shop, progress=seen.append,
        )  # fmt: skip

    assert (len(sent.campaigns), sent.queued, seen) == (3, 5, [2, 2, 1])
    assert sum('FROM "auth_user"' in query["sql"] for query in queries) == 4


def test_a_function_may_give_the_number_and_the_values(shop: Organisation) -> None:
    make_users(1)
    send_to(
        User.objects.all(),
        phone=lambda user: f"+{user.username}",
        message="{name} owes {amount} since {day}",
        context=lambda user: {
            "name": user.get_full_name(), "amount": Decimal("12.50"), "day": dt.date(2026, 3, 1),
        },
        organisation=shop,
    )  # fmt: skip
    assert texts() == ["N0 owes 12.50 since 2026-03-01"]


def test_a_relation_is_followed(shop: Organisation) -> None:
    key = ApiKey(organisation=shop, prefix="p", name=kenyan_numbers(1)[0])
    ApiKey.objects.bulk_create([key])
    common: dict[str, Any] = {"phone": "name", "organisation": shop}
    message = "Hi {organisation__name}"

    send_to(ApiKey.objects.all(), message=message, **common)
    send_to(ApiKey.objects.all(), message=message, context=["organisation__name"], **common)
    send_to(
        ApiKey.objects.all(), message=message, organisation=shop, context=["organisation__name"],
        phone=lambda row: row.name,
    )  # fmt: skip

    assert texts() == [f"Hi {shop.name}"] * 3


def test_a_field_that_is_none_refuses_its_row_alone(shop: Organisation) -> None:
    make_users(2)
    User.objects.filter(first_name="N0").update(last_login=clock.now())
    sent = send_to(
        User.objects.all(), phone="username", message="Seen {last_login}", organisation=shop
    )
    assert (sent.queued, sent.failed) == (1, 1)
    assert Message.objects.get(status="failed").error == "missing_variable"


def test_a_number_and_text_that_were_there_are_left_out_also_in_a_later_chunk(
    shop: Organisation, small_chunks: None
) -> None:
    make_users(2)
    for place, number in enumerate(kenyan_numbers(2)):
        User.objects.create(username=f"+{number}", first_name=f"N{place * 7}")

    sent = send_to(
        User.objects.all(), phone="username", message="Hi {first_name}", organisation=shop
    )

    assert (sent.queued, sent.duplicates) == (3, 1)
    assert texts() == ["Hi N0", "Hi N1", "Hi N7"]


def test_the_same_key_goes_on_and_reaches_those_who_came_since(
    shop: Organisation, small_chunks: None
) -> None:
    make_users(3)
    common: dict[str, Any] = {
        "phone": "username", "message": "Hi {first_name}", "organisation": shop, "key": "bills-1"
    }  # fmt: skip
    first = send_to(User.objects.all(), **common)
    User.objects.create(username="254799000000", first_name="New")
    User.objects.create(username="+254712000000", first_name="N0")

    again = send_to(User.objects.all(), **common)

    assert (first.earlier, first.queued) == (0, 3)
    assert (again.earlier, again.queued, again.duplicates) == (3, 1, 1)
    assert texts() == ["Hi N0", "Hi N1", "Hi N2", "Hi New"]
    assert set(Campaign.objects.values_list("reference", flat=True)) == {
        "bills-1#1", "bills-1#2", "bills-1#3"
    }  # fmt: skip


def test_without_a_key_every_call_is_a_send_of_its_own(shop: Organisation) -> None:
    make_users(1)
    for _ in range(2):
        send_to(User.objects.all(), phone="username", message="Hi", organisation=shop)
    assert Message.objects.count() == 2


def test_in_your_transaction_it_rolls_back_with_it(shop: Organisation, small_chunks: None) -> None:
    make_users(3)
    with transaction.atomic():
        send_to(User.objects.all(), phone="username", message="Hi", organisation=shop)
        transaction.set_rollback(True)
    assert not Campaign.objects.exists()


def test_money_that_ends_stops_before_the_chunk_and_a_repeat_goes_on(
    shop: Organisation, small_chunks: None
) -> None:
    make_users(5)
    purse = Wallet.objects.filter(organisation=shop)
    purse.update(available_micros=3 * KES)
    common: dict[str, Any] = {"phone": "username", "message": "Hi", "organisation": shop}

    with pytest.raises(PaymentRequired):
        send_to(User.objects.all(), key="k", **common)
    assert Message.objects.count() == 2
    purse.update(available_micros=100 * KES)

    assert send_to(User.objects.all(), key="k", **common).queued == 3


def test_max_cost_is_for_all_of_it(shop: Organisation, small_chunks: None) -> None:
    make_users(5)
    with pytest.raises(PaymentRequired, match="max_cost"):
        send_to(User.objects.all(), phone="username", message="Hi", organisation=shop, max_cost="4")
    assert Message.objects.count() == 4


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"message": "Hi {nmae}"}, ValueError, "Cannot resolve keyword 'nmae'"),
        ({"phone": "tel"}, ValueError, "Give a function as phone or context"),
        ({"message": ""}, InvalidRequest, "Give the text"),
        ({"sender_id": "STRANGER"}, InvalidRequest, "not registered"),
        ({"key": "x" * 300}, InvalidRequest, "1 to 240 characters"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(
    shop: Organisation, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    make_users(1)
    given = {"phone": "username", "message": "Hi", "organisation": shop, **options}
    with pytest.raises(error, match=said):
        send_to(User.objects.all(), **given)
    assert not Campaign.objects.exists()


def test_a_slice_is_refused(shop: Organisation) -> None:
    with pytest.raises(ValueError, match="sliced"):
        send_to(User.objects.all()[:5], phone="username", message="Hi", organisation=shop)


def test_sensitive_texts_are_marked_as_such(shop: Organisation) -> None:
    make_users(1)
    send_to(User.objects.all(), phone="username", message="Hi", organisation=shop, sensitive=True)
    assert Campaign.objects.get().is_sensitive


def test_nobody_is_nothing(shop: Organisation) -> None:
    sent = send_to(User.objects.none(), phone="username", message="Hi", organisation=shop)
    assert (sent.campaigns, sent.queued) == ((), 0)


def test_a_preview_prices_everything_and_stores_nothing(
    shop: Organisation, small_chunks: None
) -> None:
    make_users(3)
    User.objects.create(username="nonsense")
    User.objects.create(username="+254712000000", first_name="N0")

    found = audience.preview_to(
        Audience(User.objects.all(), "Hi {first_name}", "username"), organisation=shop
    )

    assert (found.rows, found.sendable, found.duplicates, found.units) == (5, 3, 1, 3)
    assert (found.cost_micros, found.currency) == (3 * KES, "KES")
    assert dict(found.refused) == {"invalid_recipient": 1}
    assert found.faults[0][0] == User.objects.get(username="nonsense").pk
    assert not Campaign.objects.exists()
