"""Keys: who may call, and that a refusal tells nothing about why."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms import clock
from bulksms.models import ApiKey
from bulksms.services import keys
from tests.api.helpers import SEND_BULK, Api, assert_problem
from tests.factories import make_key

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

    with CaptureQueriesContext(connection) as captured:
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
    (query,) = captured
    assert "bulksms_apikey" in query["sql"]


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
