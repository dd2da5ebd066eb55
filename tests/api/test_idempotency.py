"""``Idempotency-Key``: a request that is repeated is done once, and its answer is the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from django.http import HttpResponse

from bulksms import db
from bulksms.models import Campaign, Hold, IdempotencyKey, Message
from bulksms.services import outbox, wallet
from bulksms.testing import virtual_clock
from tests.api.helpers import SEND, SEND_BULK, Api, assert_problem, faults, world
from tests.concurrency.conftest import at_once
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]

BODY = {"recipients": ["0712345678", "12", "254723456789", "254734567890"], "message": "Hi"}
ONE = {"mobile": "0712345678", "message": "Hi"}


def post(api: Api, key: str = "k1", path: str = SEND_BULK, **fields: Any) -> HttpResponse:
    body = (ONE if path.startswith(SEND) else BODY) | fields
    return api.post(path, body, **{"idempotency-key": key})


def test_a_repeat_gets_the_same_bytes_and_is_marked(host) -> None:
    organisation = make_organisation(balance_micros=2_000_000)
    api = Api(make_key(organisation))

    first = post(api)
    wallet.top_up(organisation, 5_000_000, key="meanwhile")
    after = world(organisation)
    again = post(api)

    assert (first.status_code, again.status_code) == (207, 207)
    assert again.content == first.content
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert world(organisation) == after


def test_the_answer_is_the_same_also_when_the_prices_of_its_rows_have_changed(api) -> None:
    """A retry asks for today's price and writes it on the row."""
    first = post(api)
    Message.objects.update(unit_price_micros=9_000_000, cost_micros=9_000_000)

    assert post(api).content == first.content


def test_a_single_sms_too(host, api, organisation) -> None:
    first = post(api, path=SEND)
    after = world(organisation)
    again = post(api, path=SEND)

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert world(organisation) == after


def test_the_order_of_fields_and_the_last_slash_do_not_matter(api) -> None:
    first = post(api)

    reordered = (
        b'{"message": "Hi",\n "recipients": ["0712345678", "12", "254723456789", "254734567890"]}'
    )
    again = api.raw(SEND_BULK[:-1], reordered, **{"idempotency-key": "k1"})

    assert again.content == first.content


def test_another_body_or_another_address_with_the_same_key_is_refused(
    host, api, organisation
) -> None:
    post(api)
    after = world(organisation)

    assert_problem(post(api, message="Ho"), 422, "idempotency_key_reused")
    assert_problem(post(api, reference="r1"), 422, "idempotency_key_reused")
    assert_problem(post(api, path=SEND), 422, "idempotency_key_reused")
    assert world(organisation) == after


def test_a_key_belongs_to_its_organisation(api) -> None:
    theirs = Api(make_key(make_organisation()))
    post(theirs, message="Theirs")

    answer = post(api)

    assert answer.status_code == 207
    assert "Idempotent-Replayed" not in answer
    assert Campaign.objects.count() == 2


def test_only_success_is_remembered(host) -> None:
    organisation = make_organisation(balance_micros=0)
    api = Api(make_key(organisation))

    assert_problem(post(api, path=SEND), 402, "insufficient_balance")
    assert not IdempotencyKey.objects.exists()
    wallet.top_up(organisation, 1_000_000, key="then")

    assert post(api, path=SEND).status_code == 201


def test_after_a_day_it_is_a_new_request(api, settings) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    virtual_clock.reset()
    first = post(api).json()["campaign_id"]
    virtual_clock.advance(hours=23, minutes=59)
    assert post(api).json()["campaign_id"] == first
    virtual_clock.advance(minutes=1)

    assert post(api).json()["campaign_id"] != first


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a b", "é", "\x7f"])
def test_what_is_no_key(host, api, organisation, key) -> None:
    before = world(organisation)

    answer = post(api, key)

    found = assert_problem(answer, 400, "invalid_idempotency_key")
    assert faults(found) == [("Idempotency-Key", "invalid_idempotency_key")]
    assert world(organisation) == before


def test_the_longest_key(api) -> None:
    assert post(api, "~" * 255).content == post(api, "~" * 255).content


def test_a_key_whose_first_request_is_at_work_says_when_to_try_again(api, monkeypatch) -> None:
    monkeypatch.setattr(db, "try_lock", lambda _: False)

    answer = post(api)

    assert_problem(answer, 409, "request_in_progress")
    assert answer["Retry-After"] == "1"
    assert Campaign.objects.count() == 0


def test_after_a_crash_in_the_middle_there_is_still_one(api, organisation, monkeypatch) -> None:
    before = world(organisation)
    api.client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(outbox.db, "insert", lambda *_: 1 / 0)
        assert post(api).status_code == 500
    assert world(organisation) == before

    first, again = post(api), post(api)

    assert first.status_code == 207
    assert again.content == first.content
    assert Campaign.objects.count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_ten_at_once_with_the_same_key(live_server) -> None:
    organisation = make_organisation()
    headers = {"Authorization": f"Bearer {make_key(organisation)}", "Idempotency-Key": "k1"}
    body = {"recipients": kenyan_numbers(200), "message": "Hi"}

    def send() -> requests.Response:
        return requests.post(live_server.url + SEND_BULK, json=body, headers=headers, timeout=60)

    answers = [a for a in at_once([send] * 10) if isinstance(a, requests.Response)]

    assert len(answers) == 10
    accepted = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in accepted}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in accepted) == 1
    for answer in answers:
        assert answer.status_code == 201 or answer.headers["Retry-After"] == "1"
    assert Campaign.objects.count() == 1
    assert wallet.of(organisation).available_micros == 10_000_000_000 - 200_000_000


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("where", "kept"), [("before the commit", 0), ("after the commit", 1)], ids=["before", "after"]
)
def test_a_server_that_is_killed_in_the_middle_and_the_repeat_make_one_campaign(
    where: str, kept: int
) -> None:
    organisation = make_organisation(balance_micros=10_000_000)
    key = make_key(organisation)
    database = {
        k: connection.settings_dict[k] for k in ("NAME", "HOST", "PORT", "USER", "PASSWORD")
    }
    command = [
        sys.executable, "-m", "tests.api.crash_process", json.dumps(database, default=str), key,
        json.dumps(BODY), where,
    ]  # fmt: skip

    died = subprocess.run(command, cwd=ROOT, timeout=120, check=False)
    left = Campaign.objects.count()
    answer = post(Api(key))
    again = post(Api(key))

    assert died.returncode == -signal.SIGKILL
    assert left == kept
    assert answer.status_code == 207
    assert answer.has_header("Idempotent-Replayed") is bool(kept)
    assert again.content == answer.content
    assert (Campaign.objects.count(), Message.objects.count()) == (1, 4)
    assert Hold.objects.get().held_micros == 3_000_000
