"""Marked values are planted everywhere, and everything that is written is searched for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.views.debug import ExceptionReporter

from bulksms.api.v1 import inputs
from bulksms.models import Message
from bulksms.services import idempotency, outbox, sending, suppression
from bulksms.testing import drain, tick
from tests.api.helpers import SEND, SEND_BULK, Api
from tests.factories import make_key, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

NUMBER = "254712999888"
LOCAL = "0712999888"
TEXT = "marked-text-7f3a"
VALUE = "marked-value-91bc"
WRONG_SECRET = "marked-secret-" + "x" * 29

MARKS = (NUMBER, LOCAL, NUMBER[3:], TEXT, VALUE, WRONG_SECRET)


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    """It refuses what is for our marked number, and says nothing about the rest."""
    rules = [{"match": {"number": NUMBER}, "refuse": "blocked"}]
    with fake_carrier(rules=rules) as house:
        yield house


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, at every level. Django's log of SQL is the host's own choice."""
    caplog.set_level(0)
    logging.getLogger("django.db.backends").setLevel(logging.ERROR)
    return caplog


def use_everything(api: Api, house: FakeCarrier) -> list[Any]:
    """Requests that go well and that go wrong, then the worker, then a report."""
    own = {"to": LOCAL, "message": TEXT + " {v}", "variables": {"v": VALUE}}
    answers = [
        api.post(SEND_BULK, {"recipients": [NUMBER, LOCAL, LOCAL + "9" * 9], "message": TEXT}),
        api.post(SEND_BULK, {"messages": [own, {"to": LOCAL, "message": TEXT + " {w}"}]}),
        api.post(SEND, {"mobile": LOCAL, "message": TEXT}),
        api.post(SEND, {"mobile": LOCAL, "message": TEXT, "sender_id": VALUE}),
        api.raw(SEND_BULK, f'{{"recipients": ["{NUMBER}"], "message": "{TEXT}'.encode()),
        api.post("/v1/sms/quote/", {"recipients": [NUMBER], "message": TEXT}),
        api.get("/v1/bulk-sms/messages/", {"mobile": NUMBER}),
        Api(f"bsk_live_0123456789_{WRONG_SECRET}").get("/v1/balance/"),
    ]
    house.run()
    house.run(hours=1)
    return answers


def found(text: str, *more: str) -> list[str]:
    return [mark for mark in (*MARKS, *more) if mark in text]


def test_nothing_of_it_is_logged(written, carrier) -> None:
    key = make_key(make_organisation())
    secret = key.split("_", 3)[3]

    answers = use_everything(Api(key), carrier)
    suppression.suppress([NUMBER])
    tick()
    drain()

    assert [answer.status_code for answer in answers[:3]] == [207, 207, 201]
    assert Message.objects.filter(number=NUMBER).exists()
    assert written.records
    for record in written.records:
        text = f"{record.getMessage()} {record.args!r} {record.exc_text} {record.__dict__}"
        assert found(text, secret) == [], record


def test_no_row_shows_it(carrier) -> None:
    key = make_key(make_organisation())
    use_everything(Api(key), carrier)
    suppression.suppress([NUMBER])

    shown = [
        f"{row} {row!r}"
        for model in apps.get_app_config("bulksms").get_models()
        for row in model._default_manager.all()
    ]

    assert len(shown) > 10
    assert found(" ".join(shown), key.split("_", 3)[3]) == []


def test_no_value_on_the_way_shows_it() -> None:
    organisation = make_organisation()
    own = [{"to": LOCAL, "message": TEXT, "variables": {"v": VALUE}}]
    order = inputs.send_bulk({"messages": own}, organisation)
    single = inputs.send({"mobile": LOCAL, "message": TEXT}, organisation)

    result = sending.send(organisation, order, once=idempotency.Once("k", "d"))

    for value in (order, single, result, result.drafts, idempotency.Kept(200, TEXT)):
        assert found(repr(value)) == []


def test_an_error_report_does_not_show_it(api, monkeypatch) -> None:
    """What Django mails to ADMINS has the variables of every frame in it."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(outbox.db, "insert", broken)
    api.client.raise_request_exception = False
    own = {"to": LOCAL, "message": TEXT + " {v}", "variables": {"v": VALUE}}
    answer = api.post(SEND_BULK, {"messages": [own]})
    assert answer.status_code == 500
    assert answer.exc_info is not None

    reporter = ExceptionReporter(answer.wsgi_request, *answer.exc_info)

    report = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "ZeroDivisionError" in report
    assert found(report, api.headers["authorization"].split("_", 3)[3]) == []
