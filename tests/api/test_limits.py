"""Request limits over HTTP: which requests count where, and what every answer says about it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from bulksms.models import RateWindow
from bulksms.services import limits
from bulksms.testing import virtual_clock
from tests.api.helpers import SEND, SEND_BULK, Api, assert_problem
from tests.factories import make_key, make_organisation

ROOT = Path(__file__).resolve().parents[2]
BALANCE = "/v1/balance/"


@pytest.fixture
def limited(settings: Any) -> None:
    """Two requests a minute of every kind, on a clock that stands still."""
    virtual_clock.reset()
    low = dict.fromkeys(limits.DEFAULTS, 2)
    more = {"CLOCK": "bulksms.testing.virtual_clock", "RATE_LIMITS": low}
    settings.BULKSMS = {**settings.BULKSMS, **more}


@pytest.mark.django_db
def test_every_answer_says_how_the_limit_stands(host, limited, api) -> None:
    first = api.get(BALANCE)
    virtual_clock.advance(seconds=20)
    second = api.get(BALANCE)
    third = api.get(BALANCE)

    assert [a.status_code for a in (first, second, third)] == [200, 200, 429]
    assert {a["RateLimit-Policy"] for a in (first, second, third)} == {'"read";q=2;w=60'}
    assert [a["RateLimit"] for a in (first, second, third)] == [
        '"read";r=1;t=60', '"read";r=0;t=40', '"read";r=0;t=40',
    ]  # fmt: skip
    problem = assert_problem(third, 429, "rate_limited")
    assert third["Retry-After"] == "40"
    assert problem["detail"] == (
        "At most 2 requests of this kind (read) in 60 seconds. Try again in 40 s."
    )
    virtual_clock.advance(seconds=40)
    assert api.get(BALANCE).status_code == 200


@pytest.mark.django_db
def test_also_answers_that_are_errors(host, limited, api, organisation) -> None:
    faulty = api.post(SEND_BULK, {})
    other_method = api.get(SEND_BULK)
    reader = Api(make_key(make_organisation(), scopes=("read",)))
    scopeless = reader.post(SEND_BULK, {})
    keyless = Api(None).get(BALANCE)

    assert (faulty.status_code, faulty["RateLimit"]) == (400, '"send-bulk";r=1;t=60')
    assert (other_method.status_code, other_method["RateLimit"]) == (405, '"send-bulk";r=0;t=60')
    assert (scopeless.status_code, scopeless["RateLimit"]) == (403, '"send-bulk";r=2;t=0')
    assert keyless.status_code == 401
    assert keyless["RateLimit"] == '"failed-authentication";r=1;t=60'


@pytest.mark.django_db
def test_a_key_without_the_scope_uses_up_nothing(limited, organisation) -> None:
    reader, sender = Api(make_key(organisation, scopes=("read",))), Api(make_key(organisation))

    for _ in range(5):
        assert reader.post(SEND_BULK, {}).status_code == 403

    assert sender.send("254712345678").status_code == 201


@pytest.mark.django_db
def test_all_keys_of_an_organisation_share_and_organisations_do_not(limited, organisation) -> None:
    first, second = Api(make_key(organisation)), Api(make_key(organisation))
    other = Api(make_key(make_organisation()))

    assert [api.get(BALANCE).status_code for api in (first, second, first)] == [200, 200, 429]
    assert other.get(BALANCE).status_code == 200


@pytest.mark.django_db
def test_reading_and_both_ways_of_sending_are_counted_apart(limited, api) -> None:
    one = {"mobile": "254712345678", "message": "Hi"}

    assert [api.get(BALANCE).status_code for _ in range(3)] == [200, 200, 429]
    assert [api.post(SEND, one).status_code for _ in range(3)] == [201, 201, 429]
    assert [api.send("254712345678").status_code for _ in range(3)] == [201, 201, 429]
    assert [api.post("/v1/sms/quote/", {}).status_code for _ in range(3)] == [400, 400, 429]


@pytest.mark.django_db
def test_the_limit_of_the_page(api) -> None:
    """60 requests a minute to send-bulk."""
    statuses = [api.post(SEND_BULK, {}).status_code for _ in range(61)]

    assert statuses == [400] * 60 + [429]


@pytest.mark.django_db
def test_a_refused_request_does_nothing_at_all(limited, api) -> None:
    for _ in range(2):
        api.get(BALANCE)
    before = RateWindow.objects.get(key__startswith="read/")

    assert api.get(BALANCE).status_code == 429
    after = RateWindow.objects.get(key__startswith="read/")
    assert bytes(after.hits) == bytes(before.hits)


@pytest.mark.django_db
def test_without_limits_nothing_is_said_and_nothing_stored(settings, api) -> None:
    off = dict.fromkeys(limits.DEFAULTS)
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": off}

    answer = api.get(BALANCE)

    assert answer.status_code == 200
    assert "RateLimit" not in answer
    assert not RateWindow.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_eight_processes_at_once(db: None) -> None:
    """Each asks as fast as it can, 100 times; together they are let through 60 times."""
    database = {
        name: str(connection.settings_dict[name])
        for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    }
    command = [sys.executable, "-m", "tests.api.limit_process", json.dumps(database)]
    children = [
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(8)
    ]  # fmt: skip
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"

    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [json.loads(child.communicate(timeout=120)[0]) for child in children]

    assert sum(answer["passed"] for answer in answers) == 60
    assert sum(answer["refused"] for answer in answers) == 8 * 100 - 60
    assert max(answer["seconds"] for answer in answers) < 60  # or the figures above mean nothing
