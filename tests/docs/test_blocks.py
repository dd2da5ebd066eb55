"""The programs on the how-to pages, run as they stand there."""

from __future__ import annotations

import ast
import asyncio
import json
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import cache
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.http import Http404
from django.test import RequestFactory, override_settings

from bulksms import send_sms, states
from bulksms.carriers.base import Prepared, SubmitResult
from bulksms.carriers.locmem import LocmemCarrier, outbox
from bulksms.exceptions import AuthenticationFailed, InvalidRequest, SendingStopped
from bulksms.models import Campaign, Message, Organisation
from bulksms.services import keys, organisations, stops, wallet
from bulksms.testing import drain, use_carrier
from tests.docs.blocks import DOCS, blocks_of
from tests.factories import make_key, make_organisation

TOP_UP, CELERY, CODE = (
    blocks_of(f"howto/{page}.md") for page in ("top_up_mpesa", "replace_celery", "one_time_code")
)
ROTATE, ASGI = (blocks_of(f"howto/{page}.md") for page in ("rotate_keys", "asgi_hosts"))
UNKNOWN = blocks_of("explanation/unknown.md")
PAYMENT = {"TransID": "SFC71AQ2XL", "TransAmount": "500.00", "BillRefNumber": "ACME"}
LOCMEM = {"main": {"BACKEND": "bulksms.carriers.locmem.LocmemCarrier"}}

pytestmark = pytest.mark.django_db


def loaded(block: Any) -> SimpleNamespace:
    """The names that a block of Python defines."""
    names: dict[str, Any] = {"__name__": block.name}
    exec(compile(block.text, block.name, "exec"), names)
    return SimpleNamespace(**names)


def typed(block: Any, **instead: str) -> str:
    """What the block's ``python manage.py ...`` lines print; words of it may be replaced."""
    out = StringIO()
    for line in block.text.splitlines():
        python, manage, *words = shlex.split(line)
        assert (python, manage) == ("python", "manage.py")
        with suppress(SystemExit):  # bulksms_status, when there is something to do
            call_command(*(instead.get(f"_{word}", word) for word in words), stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _sending() -> Any:
    """The house has a sender and a price, and the carrier only remembers."""
    house = organisations.house()
    organisations.register_sender(house, "MYSHOP", is_default=True)
    organisations.set_rate(800_000, currency="KES", at=house.created_at)
    given = {"CARRIERS": LOCMEM, "ORGANISATION": {"sender_id": "MYSHOP"}}
    with override_settings(BULKSMS=given, MPESA_TOKEN="a-long-word"):
        outbox.clear()
        cache.clear()
        yield


@pytest.fixture
def acme() -> Organisation:
    organisation = make_organisation(balance_micros=0)
    organisation.slug = "acme"
    organisation.save()
    return organisation


@dataclass
class Row:
    """A row of the reader's own table."""

    phone: str = "0712345678"
    name: str = "Amina"
    amount: str = "1500"
    pk: int = 7
    sms_id: Any = None
    saved: int = 0

    def save(self) -> None:
        self.saved += 1


# Any page


@pytest.mark.parametrize("page", sorted(DOCS.glob("howto/*.md")), ids=lambda page: page.stem)
def test_marked_python_can_be_read(page: Any) -> None:
    for block in blocks_of(f"howto/{page.name}").values():
        if block.language == "python":
            ast.parse(block.text)


# Top up by M-Pesa confirmation


def confirm(**changes: str) -> int:
    view = loaded(TOP_UP["payments/views.py"]).mpesa_confirmation
    body = json.dumps(PAYMENT | changes)
    request = RequestFactory().post("/", body, content_type="application/json")
    return int(view(request, "a-long-word").status_code)


def balance(organisation: Organisation) -> int:
    return wallet.of(organisation).available_micros


def test_a_confirmation_that_comes_twice_is_credited_once(acme: Organisation) -> None:
    assert [confirm(), confirm()] == [200, 200]

    assert balance(acme) == 500_000_000


def test_a_confirmation_with_another_amount_is_left_to_a_person(
    acme: Organisation, caplog: pytest.LogCaptureFixture
) -> None:
    confirm()

    assert confirm(TransAmount="5000.00") == 200
    assert balance(acme) == 500_000_000
    assert "SFC71AQ2XL came twice" in caplog.text


def test_a_payment_to_nobody_is_told_and_credits_nobody(
    acme: Organisation, caplog: pytest.LogCaptureFixture
) -> None:
    assert confirm(BillRefNumber="acne") == 200

    assert balance(acme) == 0
    assert "for no account of ours" in caplog.text


def test_an_address_without_the_word_is_nowhere(acme: Organisation) -> None:
    view = loaded(TOP_UP["payments/views.py"]).mpesa_confirmation

    with pytest.raises(Http404):
        view(RequestFactory().post("/", "{}", content_type="application/json"), "guess")


def test_by_hand_is_the_same_payment_as_the_confirmation(acme: Organisation) -> None:
    confirm()

    typed(TOP_UP["by hand"])

    assert balance(acme) == 500_000_000


def test_a_reversal_takes_it_back_once(acme: Organisation) -> None:
    confirm()

    loaded(TOP_UP["payments/reversals.py"]).reverse(acme, "SFC71AQ2XL")
    typed(TOP_UP["reversed by hand"])

    assert balance(acme) == 0
    assert wallet.of(acme).owed_micros == 0


def test_the_warning_is_set(acme: Organisation) -> None:
    typed(TOP_UP["low balance"])

    assert wallet.of(acme).low_balance_micros == 200_000_000


# Replace a Celery task


def test_after_celery_a_bill_is_texted_once() -> None:
    publish = loaded(CELERY["billing/publish.py"]).publish
    bill = Row()

    publish(bill)
    with pytest.raises(InvalidRequest) as refused:
        publish(bill)
    drain()

    assert refused.value.code == "reference_taken"
    assert [sms.text for sms in outbox] == ["Your bill is KES 1500."]
    assert Message.objects.get(pk=bill.sms_id).status == states.SENT


def test_after_celery_a_loop_is_one_request() -> None:
    remind = loaded(CELERY["billing/remind.py"]).remind
    bills = [Row(), Row(phone="0723456789", name="Brian", amount="20")]

    assert remind(bills).id == remind(bills).id
    drain()

    assert [sms.text for sms in outbox] == [
        "Dear Amina, KES 1500 is due on Friday.",
        "Dear Brian, KES 20 is due on Friday.",
    ]


# A one-time code


def test_a_code_is_urgent_short_lived_and_works_once() -> None:
    codes, user = loaded(CODE["accounts/codes.py"]), Row()

    sms = codes.send_code(user)
    drain()
    code = outbox[-1].text.split()[0]

    assert (sms.expires_at - sms.due_at).total_seconds() == pytest.approx(300, abs=1)
    assert Campaign.objects.get(pk=sms.campaign_id).priority == "high"
    assert not codes.check_code(user, "１２３４５６")
    assert codes.check_code(user, code)
    assert not codes.check_code(user, code)


def test_a_code_cannot_be_guessed_by_trying_on() -> None:
    codes, user = loaded(CODE["accounts/codes.py"]), Row()
    codes.send_code(user)
    drain()

    for _ in range(5):
        assert not codes.check_code(user, "wrong")

    assert not codes.check_code(user, outbox[-1].text.split()[0])


# Rotate keys


def test_a_rotated_key_and_its_successor_both_work(acme: Organisation) -> None:
    old = make_key(acme)
    prefix = old.split("_")[2]

    printed = typed(ROTATE["rotate"], _0123456789=prefix).split()[-1]
    again = loaded(ROTATE["rotate.py"]).rotate(acme, printed.split("_")[2])

    assert [keys.authenticate(key).organisation for key in (old, printed, again)] == [acme] * 3
    assert keys.authenticate(old).expires_at is not None


def test_a_revoked_key_works_no_more(acme: Organisation) -> None:
    key = make_key(acme)

    typed(ROTATE["revoke"], _0123456789=key.split("_")[2])

    with pytest.raises(AuthenticationFailed):
        keys.authenticate(key)


def test_a_stopped_carrier_goes_on() -> None:
    stops.stop("main", actor="a test", why="invalid_key")

    assert "resumed" in typed(ROTATE["resume"])
    assert not stops.is_stopped("main")


# Unknown


class Silent(LocmemCarrier):
    """Says nothing about what it was asked for."""

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        return dict.fromkeys(prepared.references, SubmitResult("unknown", code="no_answer"))


def test_unknown_messages_are_counted_before_anything_is_decided() -> None:
    sms = send_sms("0712345678", "Hi")
    with use_carrier(Silent("main", {})):
        drain()

    printed = typed(UNKNOWN["look and decide"])

    assert "1 unknown message(s) would be accepted" in printed
    assert Message.objects.get(pk=sms.pk).status == states.UNKNOWN


# ASGI hosts


def answer_of(view: Callable[..., Any], order: Row) -> Any:
    return async_to_sync(view)(RequestFactory().post("/"), order)


def test_an_async_view_accepts_order_and_message_together() -> None:
    order = Row()

    answer = answer_of(loaded(ASGI["orders/views.py"]).accept_order, order)

    assert (answer.status_code, order.saved) == (202, 1)
    assert Message.objects.get().status == states.QUEUED


def test_two_calls_leave_the_order_without_its_message() -> None:
    order, names = Row(), {"sync_to_async": sync_to_async, "send_sms": send_sms}
    exec(ASGI["wrong"].text, names)
    stops.stop(actor="a test", why="an outage between the two")

    with pytest.raises(SendingStopped):
        answer_of(names["accept_order"], order)

    assert order.saved == 1
    assert not Message.objects.exists()


def test_a_direct_call_from_async_code_is_refused() -> None:
    async def direct() -> None:
        send_sms("0712345678", "Hi")

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(direct())
