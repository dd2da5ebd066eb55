"""``POST /callbacks/<carrier>/<token>/``: kept once, and only from those who know the token."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from standardwebhooks import Webhook

from bulksms import clock
from bulksms.api.callbacks import is_open
from bulksms.models import Message, Report
from bulksms.services import reports
from tests.api.helpers import assert_problem
from tests.factories import make_organisation

pytestmark = pytest.mark.django_db

TOKEN = "t0ken-nobody-guesses"
SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"
PATH = f"/callbacks/main/{TOKEN}/"


def carrier(*, token: object = TOKEN, **options: Any) -> dict[str, Any]:
    return {
        "BACKEND": "bulksms.carriers.http.HttpCarrier",
        "OPTIONS": {"url": "http://127.0.0.1:9/", **options},
        "REPORT_TOKEN": token,
    }


@pytest.fixture(autouse=True)
def carriers(settings) -> None:
    settings.BULKSMS = {
        "CARRIERS": {
            "main": carrier(),
            "signed": carrier(report_secret=SECRET),
            "closed": carrier(token=""),
            "silent": {k: v for k, v in carrier().items() if k != "REPORT_TOKEN"},
            "umlaut": carrier(token="tökén"),
        }
    }


def report(number: int, **fields: Any) -> dict[str, Any]:
    return {"report_id": f"r{number}", "id": f"c{number}", "status": "delivered"} | fields


def post(path: str, body: object, content_type: str = "application/json", **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().generic("POST", path, data, headers=headers, CONTENT_TYPE=content_type)


def stored(answer: HttpResponse) -> int:
    assert answer.status_code == 200, answer.content
    body = json.loads(answer.content)
    assert set(body) == {"stored"}
    return int(body["stored"])


def test_reports_are_stored_once(host) -> None:
    batch = {"reports": [report(1), report(2)]}

    assert stored(post(PATH, batch)) == 2
    assert stored(post(PATH, batch)) == 0
    assert stored(post(PATH, {"reports": [report(2), report(3)]})) == 1

    rows = Report.objects.order_by("id").values_list(
        "carrier", "dedupe_key", "carrier_ref", "state"
    )
    assert list(rows) == [("main", f"r{n}", f"c{n}", "delivered") for n in (1, 2, 3)]


def test_one_report_alone_and_none(host) -> None:
    assert stored(post(PATH, report(1))) == 1
    assert stored(post(PATH, {"reports": []})) == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_any_content_type_will_do(host, content_type) -> None:
    assert stored(post(PATH, report(1), content_type)) == 1


def test_without_its_slash(host) -> None:
    assert stored(post(PATH[:-1], report(1))) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/main/wrong/",
        f"/callbacks/main/{TOKEN}x/",
        f"/callbacks/nobody/{TOKEN}/",
        f"/callbacks/closed/{TOKEN}/",
        "/callbacks/closed/None/",
        f"/callbacks/silent/{TOKEN}/",
        "/callbacks/silent/None/",
        "/callbacks/main/%00/",
        "/callbacks/main/%F0%9F%98%80/",
        "/callbacks/%00/%00/",
    ],
)
def test_whoever_has_not_the_token_finds_nothing(host, path) -> None:
    answer = post(path, report(1))

    assert assert_problem(answer, 404, "not_found")["detail"] == "There is nothing at this address."
    assert Report.objects.count() == 0


def test_no_token_opens_nothing() -> None:
    assert not any(is_open(carrier, "") for carrier in ("closed", "silent", "nobody", ""))


def test_a_token_may_have_any_letters(host) -> None:
    assert stored(post("/callbacks/umlaut/tökén/", report(1))) == 1


def test_a_token_is_for_one_carrier(settings) -> None:
    settings.BULKSMS["CARRIERS"]["other"] = carrier(token="another")

    assert_problem(post(f"/callbacks/other/{TOKEN}/", report(1)), 404, "not_found")


class TestSigned:
    PATH = f"/callbacks/signed/{TOKEN}/"

    def headers(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        now = clock.now()
        return {
            "webhook-id": "m1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("m1", now, body.decode()),
        }

    def test_a_right_signature(self, host) -> None:
        body = json.dumps(report(1)).encode()

        assert stored(post(self.PATH, body, **self.headers(body))) == 1

    def test_a_forged_one(self, host) -> None:
        body = json.dumps(report(1)).encode()
        forged = self.headers(body, "whsec_Zm9yZ2VkIGZvcmdlZCBmb3JnZWQgZm9yZ2VkIQ==")

        assert_problem(post(self.PATH, body, **forged), 400, "invalid_report")
        assert Report.objects.count() == 0

    def test_another_body_than_was_signed(self, host) -> None:
        body = json.dumps(report(1)).encode()

        answer = post(self.PATH, body + b" ", **self.headers(body))

        assert_problem(answer, 400, "invalid_report")
        assert Report.objects.count() == 0

    def test_none(self, host) -> None:
        assert_problem(post(self.PATH, report(1)), 400, "invalid_report")

    def test_a_body_that_is_no_text(self, host) -> None:
        headers = self.headers(b"{}")

        assert_problem(post(self.PATH, b"\xff\xfe", **headers), 400, "invalid_report")


@pytest.mark.parametrize(
    "body", [{"reports": 1}, {"reports": [1]}, {"reports": None}], ids=json.dumps
)
def test_what_is_no_report(host, body) -> None:
    assert_problem(post(PATH, body), 400, "invalid_report")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"\xff", b"[" * 100_000, b"[1]", b'{"status": "\\ud800"}',
        b'{"id": ' + b"9" * 4_250 + b"}", b'{"id": ' + b"9" * 5_000 + b"}",
        b'{"status": {"a": []}, "code": [1], "id": {}, "report_id": []}',
    ],
)  # fmt: skip
def test_nonsense_is_never_a_500(host, body) -> None:
    assert post(PATH, body).status_code in (200, 400)


@pytest.mark.parametrize("field", ["report_id", "id", "client_ref", "status", "code"])
def test_nul_is_refused(host, field) -> None:
    """No column holds it. The carrier is told; nothing of the call is stored."""
    body = {"reports": [report(2), report(1, **{field: "a\x00b"})]}

    assert_problem(post(PATH, body), 400, "invalid_report")
    assert Report.objects.count() == 0


def test_a_body_over_the_limit(host, settings) -> None:
    settings.BULKSMS = settings.BULKSMS | {"MAX_REPORT_BODY_BYTES": 200}
    body = json.dumps(report(1)).encode()

    assert_problem(post(PATH, body.ljust(201)), 413, "body_too_large")
    assert Report.objects.count() == 0
    assert stored(post(PATH, body.ljust(200))) == 1


def test_a_megabyte_is_the_limit_by_default(host) -> None:
    body = json.dumps(report(1)).encode()

    assert_problem(post(PATH, body.ljust(1024 * 1024 + 1)), 413, "body_too_large")
    assert stored(post(PATH, body.ljust(1024 * 1024))) == 1


def test_too_many_reports(host) -> None:
    many = [report(n) for n in range(1_001)]

    body = assert_problem(post(PATH, {"reports": many}), 413, "body_too_large")

    assert body["detail"] == "At most 1000 reports in one call, got 1001."
    assert Report.objects.count() == 0
    assert stored(post(PATH, {"reports": many[:-1]})) == 1_000


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post(host, method) -> None:
    answer = getattr(Client(), method)(PATH)

    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "POST, OPTIONS"


def test_a_callback_needs_no_key_and_makes_no_difference_to_others(host) -> None:
    make_organisation()

    assert stored(post(PATH, report(1), authorization="Bearer nonsense")) == 1
    reports.apply_once()
    assert Message.objects.count() == 0


def test_a_carrier_whose_reports_match_nothing_is_stopped_at_a_bound(settings) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_PARKED_REPORTS": 3}
    assert stored(post(PATH, {"reports": [report(n) for n in range(3)]})) == 3
    reports.apply_once()

    answer = post(PATH, report(4))

    assert_problem(answer, 503, "too_many_reports")
    assert Report.objects.count() == 3
    assert stored(post("/callbacks/umlaut/tökén/", report(1))) == 1
