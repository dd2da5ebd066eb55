"""Cancel, pause, resume and reschedule over HTTP: what changed, and what had left before."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse

from bulksms import clock, send_bulk, states
from bulksms.models import Campaign, Organisation
from bulksms.services import audit, wallet
from bulksms.testing import drain, virtual_clock
from tests.api.helpers import Api, assert_problem, faults
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import fake_carrier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> Iterator[None]:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    with fake_carrier():
        yield


def accept(organisation: Organisation, **options: Any) -> Campaign:
    return send_bulk(
        recipients=[*kenyan_numbers(3), "12"], message="Hi", organisation=organisation, **options
    ).campaign


def later(organisation: Organisation) -> Campaign:
    return accept(organisation, scheduled_at=clock.now() + dt.timedelta(days=1))


def deed(api: Api, campaign: Campaign, name: str, body: Any = None, **headers: str) -> HttpResponse:
    path = f"/v1/sms/campaigns/{campaign.id}/{name}/"
    return api.raw(path, b"", "", **headers) if body is None else api.post(path, body, **headers)


def patch(api: Api, campaign: Campaign, body: Any) -> HttpResponse:
    return api.client.patch(
        f"/v1/sms/campaigns/{campaign.id}/", body, "application/json", headers=api.headers
    )


def counts(answer: HttpResponse) -> tuple[Any, ...]:
    body = answer.json()
    assert answer.status_code == 200, body
    return body["status"], body["changed"], body["remaining"], body["already_gone"]


def test_cancelling_gives_the_money_back(host, api, organisation) -> None:
    campaign = later(organisation)

    answer = deed(api, campaign, "cancel")

    assert counts(answer)[1:] == (3, 0, 0)
    assert (answer.json()["cancelled_count"], answer.json()["failed_count"]) == (3, 1)
    assert answer.json()["total_cost"] == "0.00"
    assert wallet.of(organisation).available_micros == 10_000_000
    assert list(audit.faults()) == []


def test_what_has_left_is_told(api, organisation) -> None:
    campaign = accept(organisation)
    drain()

    answer = deed(api, campaign, "cancel")

    assert counts(answer)[1:] == (0, 0, 3)


def test_what_is_over_cannot_be_cancelled(api) -> None:
    organisation = make_organisation(balance_micros=0)
    campaign = accept(organisation)

    found = assert_problem(deed(Api(make_key(organisation)), campaign, "cancel"), 409,
                           "campaign_finished")  # fmt: skip
    assert found["detail"] == "This campaign is completed."


def test_pausing_and_going_on(host, api, organisation) -> None:
    campaign = accept(organisation)

    assert counts(deed(api, campaign, "pause")) == (states.PAUSED, 3, 0, 0)
    drain()
    assert Campaign.objects.get().queued_count == 3
    assert counts(deed(api, campaign, "resume", {})) == (states.QUEUED, 3, 0, 0)
    drain()
    assert Campaign.objects.get().queued_count == 0


def test_what_is_not_paused_cannot_go_on(api, organisation) -> None:
    campaign = accept(organisation)

    assert_problem(deed(api, campaign, "resume"), 409, "not_paused")


def test_another_time(host, api, organisation) -> None:
    campaign = later(organisation)
    new = clock.now() + dt.timedelta(days=2)

    answer = patch(api, campaign, {"scheduled_at": new.isoformat()})

    assert counts(answer) == (states.SCHEDULED, 3, 0, 0)
    assert answer.json()["scheduled_at"] == "2026-01-07T09:00:00Z"
    assert Campaign.objects.get().scheduled_at == new


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"scheduled_at": None}, "required"),
        ({"scheduled_at": "soon"}, "invalid_datetime"),
        ({"scheduled_at": "2026-01-05T08:00:00Z"}, "in_the_past"),
        ({"scheduled_at": "2026-01-05T10:00:00"}, "time_zone_required"),
        ({"scheduled_at": "2027-01-05T10:00:00Z"}, "too_far_ahead"),
        ({"scheduled_at": "2026-01-06T10:00:00Z", "message": "x"}, "unknown_field"),
    ],
)
def test_times_that_are_none(host, api, organisation, body, code) -> None:
    campaign = later(organisation)

    answer = patch(api, campaign, body)

    field = "message" if code == "unknown_field" else "scheduled_at"
    assert faults(assert_problem(answer, 400, code)) == [(field, code)]
    assert Campaign.objects.get().scheduled_at == campaign.scheduled_at


def test_what_has_begun_cannot_be_put_off(api, organisation) -> None:
    campaign = accept(organisation)

    answer = patch(api, campaign, {"scheduled_at": "2026-01-06T10:00:00Z"})

    assert_problem(answer, 409, "not_scheduled")


@pytest.mark.parametrize("name", ["cancel", "pause", "resume"])
def test_who_may(host, organisation, name) -> None:
    campaign = later(organisation)
    sender = Api(make_key(organisation, scopes=("send", "read")))
    stranger = Api(make_key(make_organisation()))

    assert_problem(deed(sender, campaign, name), 403, "insufficient_scope")
    assert_problem(deed(stranger, campaign, name), 404, "not_found")
    assert Campaign.objects.get().status == states.SCHEDULED


@pytest.mark.parametrize("name", ["cancel", "pause", "resume"])
def test_they_take_no_fields(host, api, organisation, name) -> None:
    campaign = later(organisation)

    assert_problem(deed(api, campaign, name, {"dry_run": True}), 400, "unknown_field")
    assert_problem(deed(api, Campaign(id=uuid.uuid4()), name), 404, "not_found")
    nonsense = api.post(f"/v1/sms/campaigns/x/{name}/", {})
    assert_problem(nonsense, 404, "not_found")


def test_a_repeat_with_the_same_key_gets_the_first_answer(host, api, organisation) -> None:
    campaign = later(organisation)
    key = {"idempotency-key": "k1"}

    first = deed(api, campaign, "cancel", **key)
    again = deed(api, campaign, "cancel", **key)
    without = deed(api, campaign, "cancel")

    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == "application/json"
    assert without.status_code == 409
    assert_problem(deed(api, campaign, "pause", **key), 422, "idempotency_key_reused")


def test_a_refusal_is_not_kept(api, organisation) -> None:
    campaign = accept(organisation)
    key = {"idempotency-key": "k1"}

    assert_problem(deed(api, campaign, "resume", **key), 409, "not_paused")
    deed(api, campaign, "pause")

    assert deed(api, campaign, "resume", **key).status_code == 200
