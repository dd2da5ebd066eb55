"""A tenant never sees, counts, changes or guesses another's rows: the outbox dialect.

Generated from the URL conf: an endpoint that is new and not in the table below turns this red.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from django.http import HttpResponse
from django.urls import reverse

from bulksms.api.outbox import cursors
from bulksms.models import Campaign
from tests.api.outbox.helpers import assert_error
from tests.api.test_isolation import MOUNTED, NOBODY, Tenants

SPACE = "bulksms_outbox"
ONE = {"recipient": "254712345678", "message": "Hi"}
LATER = {"scheduleTime": "2026-01-06T08:00", "timeZone": "Africa/Nairobi"}


class Endpoint(NamedTuple):
    """How to ask for what is another's; ``names``: by an id in its address or body."""

    method: str = "GET"
    body: Any = None
    names: bool = False
    cursor: bool = False


ENDPOINTS: dict[str, list[Endpoint]] = {
    "send-bulk": [Endpoint("POST", ONE | {"recipients": ["0712345678"]}), Endpoint("POST", [ONE])],
    "send": [Endpoint("POST", ONE)],
    "schedule": [Endpoint("POST", ONE | LATER)],
    "cancel-schedule": [Endpoint("POST", {"scheduleId": "{campaign}"}, names=True)],
    "outbox": [Endpoint(cursor=True)],
    "entry": [Endpoint(names=True)],
    "retry": [
        Endpoint("POST", {}, names=True),
        Endpoint("POST", {"nestedOutboxIds": ["{message}"]}, names=True),
    ],
    "current-costs": [Endpoint()],
    "cost-history": [Endpoint(cursor=True)],
    "balance": [Endpoint()],
    "openapi": [Endpoint()],
}
ENDPOINTS["send-bulk"][0].body.pop("recipient")

CASES = [
    pytest.param(name, each, id=f"{each.method} {name} {number}")
    for name, those in ENDPOINTS.items()
    for number, each in enumerate(those)
]


def ask(tenants: Tenants, name: str, each: Endpoint, id_: str, **headers: str) -> HttpResponse:
    text = json.dumps(each.body).replace("{campaign}", id_)
    body = json.loads(text.replace("{message}", str(tenants.message.id)))
    pattern = next(entry for space, entry in MOUNTED if (space, entry.name) == (SPACE, name))
    given = dict.fromkeys(pattern.pattern.converters, id_)
    path = reverse(f"bulksms:{SPACE}:{name}", kwargs=given)
    return tenants.call(path, each.method, body, **headers)


def test_every_endpoint_and_method_is_in_the_table() -> None:
    mounted = {
        (entry.name, method.upper())
        for space, entry in MOUNTED
        for method in ("get", "post", "put", "patch", "delete")
        if space == SPACE and entry.name and hasattr(entry.callback.view_class, method)
    }

    assert mounted == {(name, each.method) for name, those in ENDPOINTS.items() for each in those}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "each"), CASES)
def test_what_is_theirs_is_not_there_and_stays_as_it_is(name, each) -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    for id_ in (str(tenants.campaign.id), str(tenants.message.id)):
        answer = ask(tenants, name, each, id_)
        if each.names:
            found = assert_error(answer, 404, "not_found")
            unknown = assert_error(ask(tenants, name, each, NOBODY), 404, "not_found")
            assert found.pop("message").replace(id_, NOBODY) == unknown.pop("message")
            assert found == unknown
        else:
            assert answer.status_code in (200, 201)
            for theirs in ("THEIRS", "their-reference", tenants.theirs.slug, id_):
                assert theirs not in answer.content.decode()

    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "each"), [case for case in CASES if case.values[1].method == "POST"]
)
def test_their_idempotency_key_is_as_if_never_seen(name, each) -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    answer = ask(tenants, name, each, str(tenants.campaign.id), **{"idempotency-key": "k1"})

    assert "Idempotent-Replayed" not in answer
    assert answer.status_code == (404 if each.names else 201)
    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
def test_their_cursor_is_none() -> None:
    tenants = Tenants.make()
    rate = tenants.theirs.rates.get()
    theirs = {"outbox": cursors.write(tenants.campaign.id), "cost-history": f"r{rate.pk}"}
    assert set(theirs) == {case.values[0] for case in CASES if case.values[1].cursor}

    for name, cursor in theirs.items():
        answer = ask(tenants, name, Endpoint(body={"cursor": cursor}), NOBODY)
        assert_error(answer, 400, "invalid_cursor")


@pytest.mark.django_db
def test_their_message_id_is_as_if_never_seen() -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    for body in (ONE | {"messageId": "their-reference"}, [ONE | {"messageId": "their-reference"}]):
        Campaign.objects.filter(organisation=tenants.ours).update(reference="")
        name = "send-bulk" if isinstance(body, list) else "send"
        answer = ask(tenants, name, Endpoint("POST", body), NOBODY)
        assert (answer.status_code, "Idempotent-Replayed" in answer) == (201, False)

    assert tenants.everything_of_theirs() == before
