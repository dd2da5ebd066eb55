"""Keys: who may call, and that a refusal tells nothing about why."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import clock
from bulksms.models import ApiKey
from bulksms.services import keys, limits
from bulksms.testing import virtual_clock
from tests.api.helpers import SEND_BULK, Api, assert_problem
from tests.factories import make_key, make_organisation

pytestmark = pytest.mark.django_db


def unknown(organisation) -> str:
    return "Bearer " + make_key(organisation)[:-1] + "!"


def revoked(organisation) -> str:
    row, text = keys.create(organisation)
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=clock.now())
    return f"Bearer {text}"


def expired(organisation) -> str:
    at = clock.now() - dt.timedelta(seconds=1)
    return f"Bearer {keys.create(organisation, expires_at=at)[1]}"


def stopped(organisation) -> str:
    organisation.is_active = False
    organisation.save()
    return f"Bearer {make_key(organisation)}"


REFUSED = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "only the scheme": lambda _: "Bearer",
    "another scheme": lambda org: "Basic " + make_key(org),
    "no scheme": make_key,
    "no key of ours": lambda _: "Bearer tk_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "no such prefix": lambda _: "Bearer bsk_live_0123456789_" + "x" * 43,
    "strange signs": lambda _: "Bearer bsk_live_\x00é_" + "\x7f" * 5_000,
    "wrong secret": unknown,
    "revoked": revoked,
    "expired": expired,
    "organisation stopped": stopped,
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_is_the_same(host, organisation, name) -> None:
    given = REFUSED[name](organisation)
    client = Api(None).client
    headers = {} if given is None else {"authorization": given}

    answer = client.post(SEND_BULK, b"{}", "application/json", headers=headers)

    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Missing, malformed, unknown, revoked or expired API key.",
        "code": "authentication_failed",
        "errors": [],
    }
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="bulksms"'


def test_every_refusal_takes_the_same_road(monkeypatch, settings) -> None:
    """The same statements and one comparison of equal lengths, or its time would tell the reason.

    Answers are equal to the byte, headers too.
    """
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    virtual_clock.reset()
    roads, answers, compared = {}, {}, []
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    for number, (name, given) in enumerate(REFUSED.items()):
        text = given(make_organisation())
        compared.clear()
        with CaptureQueriesContext(connection) as captured:
            answer = Api(None).client.post(
                SEND_BULK, b"{}", "application/json", REMOTE_ADDR=f"192.0.2.{number}",
                headers={} if text is None else {"authorization": text},
            )  # fmt: skip
        roads[name] = [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in captured]
        answers[name] = (answer.content, sorted(answer.items()))
        assert [(len(a), len(b)) for a, b in compared] == [(64, 64)], name

    assert all(road == roads["missing"] for road in roads.values())
    assert sum("bulksms_apikey" in sql for sql in roads["missing"]) == 1
    assert all(answer == answers["missing"] for answer in answers.values())


def test_a_hundred_wrong_keys_do_not_lock_a_right_one_out(api) -> None:
    wrong = Api("bsk_live_0123456789_" + "x" * 43)

    statuses = [wrong.get("/v1/balance/").status_code for _ in range(100)]

    assert statuses == [401] * 60 + [429] * 40
    refused = wrong.get("/v1/balance/")
    assert_problem(refused, 429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert api.get("/v1/balance/").status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "counted_together"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:1::1", "2001:db8:1:1::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("", "no address", True),
    ],
)
def test_failures_are_counted_by_address(settings, db, one, other, counted_together) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {limits.FAILED_AUTHENTICATION: 1}}

    def fail(address: str) -> int:
        return Api(None).client.get("/v1/balance/", REMOTE_ADDR=address).status_code

    assert fail(one) == 401
    assert fail(one) == 429
    assert fail(other) == (429 if counted_together else 401)


def test_a_header_does_not_change_the_address(settings, db) -> None:
    """Anybody could write it: X-Forwarded-For is the host's business, behind its own proxy."""
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {limits.FAILED_AUTHENTICATION: 1}}
    api = Api(None)

    assert api.get("/v1/balance/").status_code == 401
    forwarded = {"x-forwarded-for": "198.51.100.7"}
    assert api.get("/v1/balance/", **forwarded).status_code == 429


def test_the_scheme_is_read_without_case(organisation) -> None:
    text = make_key(organisation)

    answer = Api(None).get("/v1/balance/", authorization=f"bEARER  {text} ")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        (("send",), SEND_BULK, 201),
        (("send",), "/v1/balance/", 403),
        (("read",), SEND_BULK, 403),
        (("read",), "/v1/balance/", 200),
        ((), "/v1/balance/", 403),
    ],
)
def test_a_key_does_what_its_scopes_say(host, organisation, scopes, path, status) -> None:
    api = Api(make_key(organisation, scopes=scopes))

    answer = api.get(path) if "balance" in path else api.send("254712345678")

    assert answer.status_code == status
    if status == 403:
        assert_problem(answer, 403, "insufficient_scope")


def test_no_scope_is_told_before_the_body_is_read(organisation) -> None:
    api = Api(make_key(organisation, scopes=("read",)))

    assert_problem(api.raw(SEND_BULK, b"nonsense", "text/plain"), 403, "insufficient_scope")
