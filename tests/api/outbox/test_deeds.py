"""Retries and cancelled schedules."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from bulksms.models import Organisation
from bulksms.services import audit, organisations, wallet
from tests.api.helpers import Api, world
from tests.api.outbox.helpers import (
    OUTBOX,
    SCHEDULE,
    SEND_BULK,
    assert_error,
    bulk,
    entry,
    faults,
    item,
    single,
)
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier, fake_carrier

pytestmark = pytest.mark.django_db

CANCEL = "/api/sms/cancel-schedule"
TOMORROW = {"scheduleTime": "2026-01-06T08:00:00", "timeZone": "Africa/Nairobi"}


def retry(api: Api, outbox_id: object, body: Any = None, **headers: str) -> Any:
    path = f"{OUTBOX}/{outbox_id}/retry"
    return api.raw(path, b"", "") if body is None else api.post(path, body, **headers)


def top_up(micros: int) -> None:
    wallet.top_up(Organisation.objects.get(is_house=False), micros, key=str(uuid.uuid4()))


def half_paid(poor: Api) -> dict[str, Any]:
    """Two sent, two that were not paid for."""
    return dict(bulk(poor, *kenyan_numbers(4)).json()["bulkOutboxEntry"])


# Retries


def test_the_whole_batch_after_a_top_up(poor, carrier: FakeCarrier) -> None:
    found = half_paid(poor)
    carrier.run()
    top_up(2_000_000)

    answer = retry(poor, found["outboxId"])
    carrier.run()

    body = answer.json()
    assert answer.status_code == 200
    assert (body["retried"], body["refused"], body["remaining"]) == (2, [], 0)
    assert body["message"] == "Bulk SMS accepted."
    after = entry(poor, found["outboxId"])
    assert (after["status"], after["retryCount"], after["totalCost"]) == ("sent", 1, 2.4)
    assert carrier.total_accepted == 4
    assert list(audit.faults()) == []


def test_one_of_the_batch(poor, carrier: FakeCarrier) -> None:
    found = half_paid(poor)
    top_up(2_000_000)
    wanted = found["nestedOutbox"][3]["nestedOutboxId"]

    assert retry(poor, found["outboxId"], {"nestedOutboxIds": [wanted]}).json()["retried"] == 1
    carrier.run()

    rows = entry(poor, found["outboxId"])["nestedOutbox"]
    assert [row["status"] for row in rows] == ["sent", "sent", "failed", "sent"]


def test_a_single(poor, carrier: FakeCarrier) -> None:
    bulk(poor, *kenyan_numbers(2))
    sent = single(poor).json()["outboxEntry"]
    top_up(600_000)

    body = retry(poor, sent["outboxId"], {}).json()
    carrier.run()

    assert (body["retried"], body["outboxEntry"]["status"]) == (1, "pending")
    assert entry(poor, sent["outboxId"])["status"] == "sent"


def test_an_item_of_a_loop(poor, carrier: FakeCarrier) -> None:
    sent = poor.post(SEND_BULK, [item(number) for number in kenyan_numbers(4)]).json()
    top_up(600_000)

    assert retry(poor, sent["outboxIds"][3]).json()["retried"] == 1
    carrier.run()

    assert [entry(poor, id_)["status"] for id_ in sent["outboxIds"]] == [
        "sent", "sent", "failed", "sent",
    ]  # fmt: skip


def test_a_retried_item_keeps_its_own_sender_and_text(poor, carrier: FakeCarrier) -> None:
    organisations.register_sender(Organisation.objects.get(is_house=False), "SHOP")
    items = [item(), item("0723456789"), item("0734567890", "Own text", senderId="SHOP")]
    sent = poor.post(SEND_BULK, items).json()
    top_up(600_000)

    assert retry(poor, sent["bulkOutboxId"]).json()["retried"] == 1
    carrier.run()

    found = {(r.sender, r.text) for r in carrier.transport.engine.oracle.records()}
    assert found == {("TUKUPAY", "Hi"), ("SHOP", "Own text")}


def test_a_message_that_is_on_its_way_is_not_sent_twice(api, organisation) -> None:
    found = bulk(api, "0712345678").json()["bulkOutboxEntry"]
    (row,) = found["nestedOutbox"]
    before = world(organisation)

    whole = retry(api, found["outboxId"])
    one = retry(api, found["outboxId"], {"nestedOutboxIds": [row["nestedOutboxId"]]})

    assert_error(whole, 409, "nothing_to_retry")
    assert_error(one, 409, "not_retryable")
    assert world(organisation) == before


def test_a_retry_without_money_changes_nothing(poor, carrier: FakeCarrier) -> None:
    found = half_paid(poor)
    carrier.run()
    before = entry(poor, found["outboxId"])

    assert_error(retry(poor, found["outboxId"]), 402, "insufficient_balance")
    assert entry(poor, found["outboxId"]) == before


def test_retry_count_of_a_message_is_how_often_it_was_asked_again(api) -> None:
    rules = [
        {"match": {"number": "254712345678"}, "refuse": {"code": "temporary_failure", "tries": 1}}
    ]
    with fake_carrier(rules=rules) as carrier:
        found = bulk(api, "0712345678", "0723456789").json()["bulkOutboxEntry"]
        carrier.run(seconds=60)
        carrier.run()

    after = entry(api, found["outboxId"])
    assert [row["retryCount"] for row in after["nestedOutbox"]] == [1, 0]
    assert after["retryCount"] == 0
    times = [row["timestamps"]["lastAttemptAt"] for row in after["nestedOutbox"]]
    assert times[0] > times[1]
    assert after["timestamps"]["lastAttemptAt"] == times[0]


def test_an_idempotency_key_retries_once(poor, carrier: FakeCarrier) -> None:
    found = half_paid(poor)
    carrier.run()
    top_up(10_000_000)

    first, again = (retry(poor, found["outboxId"], {}, **{"idempotency-key": "k"}) for _ in "ab")

    assert (first.json()["retried"], again.content) == (2, first.content)
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"nestedOutboxIds": "x"}, ("nestedOutboxIds", "invalid_type")),
        ({"nestedOutboxIds": ["x"]}, ("nestedOutboxIds[0]", "invalid_type")),
        ({"nestedOutboxIds": [5]}, ("nestedOutboxIds[0]", "invalid_type")),
        ({"nestedOutboxIds": []}, ("nestedOutboxIds", "invalid_selection")),
        ({"nestedOutboxIds": [str(uuid.UUID(int=7))]}, ("nestedOutboxIds", "message_not_found")),
        ({"acceptDuplicates": 1}, ("acceptDuplicates", "invalid_type")),
        ({"ids": []}, ("ids", "unknown_field")),
    ],
)
def test_faults_of_a_retry(api, organisation, body, expected) -> None:
    found = bulk(api, "0712345678").json()["bulkOutboxEntry"]
    before = world(organisation)

    answer = retry(api, found["outboxId"], body)

    assert faults(assert_error(answer, 400, expected[1])) == [expected]
    assert world(organisation) == before


def test_a_single_has_no_other_nested_entries(api) -> None:
    first, second = (single(api).json()["outboxEntry"]["outboxId"] for _ in "ab")

    answer = retry(api, first, {"nestedOutboxIds": [second]})

    assert_error(answer, 400, "message_not_found")


def test_what_is_not_there_or_anothers_cannot_be_retried(api) -> None:
    other = Api(make_key(make_organisation(0)))
    theirs = bulk(other, "0712345678").json()["bulkOutboxEntry"]
    ours = bulk(api, "0712345678").json()["bulkOutboxEntry"]

    assert_error(retry(api, uuid.uuid4()), 404, "not_found")
    assert_error(retry(api, "x"), 404, "not_found")
    assert_error(retry(api, theirs["outboxId"]), 404, "not_found")
    row = theirs["nestedOutbox"][0]["nestedOutboxId"]
    answer = retry(api, ours["outboxId"], {"nestedOutboxIds": [row]})
    assert_error(answer, 400, "message_not_found")


# Cancelled schedules


def test_a_cancelled_schedule_is_not_sent_and_costs_nothing(
    api, organisation, carrier: FakeCarrier
) -> None:
    body = {"recipients": kenyan_numbers(2), "message": "Hi"} | TOMORROW
    schedule_id = api.post(SCHEDULE, body).json()["scheduleId"]

    answer = api.post(CANCEL, {"scheduleId": schedule_id})
    carrier.run(hours=24)
    carrier.run()

    found = answer.json()
    assert answer.status_code == 200
    assert (found["message"], found["cancelled"], found["remaining"]) == (
        "Schedule cancelled.", 2, 0,
    )  # fmt: skip
    assert found["scheduleId"] == schedule_id
    shown = found["bulkOutboxEntry"]
    assert (shown["status"], shown["totalCost"], shown["totalSmsUnitsUsed"]) == ("failed", 0.0, 0)
    assert {row["deliveryStatus"] for row in shown["nestedOutbox"]} == {"cancelled"}
    assert carrier.total_accepted == 0
    assert wallet.of(organisation).available_micros == 60_000_000


def test_a_single_schedule(api) -> None:
    body = {"recipient": "0712345678", "message": "Hi"} | TOMORROW
    schedule_id = api.post(SCHEDULE, body).json()["scheduleId"]

    found = api.post(CANCEL, {"scheduleId": schedule_id}).json()["outboxEntry"]

    assert (found["status"], found["deliveryStatus"]) == ("failed", "cancelled")


def test_what_was_scheduled_by_its_timestamp_can_be_cancelled_too(api) -> None:
    sent = bulk(api, "0712345678", scheduleTimestamp="2026-01-06T08:00:00Z").json()

    answer = api.post(CANCEL, {"scheduleId": sent["bulkOutboxEntry"]["outboxId"]})

    assert answer.json()["cancelled"] == 1


def test_what_does_not_wait_for_its_time_is_no_schedule(api, organisation) -> None:
    sent = bulk(api, "0712345678").json()["bulkOutboxEntry"]
    before = world(organisation)

    answer = api.post(CANCEL, {"scheduleId": sent["outboxId"]})

    assert_error(answer, 409, "not_scheduled")
    assert world(organisation) == before


def test_what_has_begun_is_no_schedule_any_more(api, carrier: FakeCarrier) -> None:
    sent = bulk(api, "0712345678", scheduleTimestamp="2026-01-05T10:00:00Z").json()
    carrier.run(hours=2)
    carrier.run()

    answer = api.post(CANCEL, {"scheduleId": sent["bulkOutboxEntry"]["outboxId"]})

    assert_error(answer, 409, "not_scheduled")


def test_one_message_of_a_request_is_no_schedule(api) -> None:
    sent = api.post(SEND_BULK, [item(scheduleTimestamp="2026-01-06T08:00:00Z")]).json()

    assert_error(api.post(CANCEL, {"scheduleId": sent["outboxIds"][0]}), 404, "not_found")
    assert api.post(CANCEL, {"scheduleId": sent["bulkOutboxId"]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "required"),
        ({"scheduleId": 5}, 400, "invalid_type"),
        ({"scheduleId": "x"}, 404, "not_found"),
        ({"scheduleId": "\x00"}, 404, "not_found"),
        ({"scheduleId": str(uuid.UUID(int=3))}, 404, "not_found"),
        ({"scheduleId": "x", "force": True}, 400, "unknown_field"),
    ],
)
def test_faults_of_a_cancellation(api, body, status, code) -> None:
    assert_error(api.post(CANCEL, body), status, code)


def test_cancelling_needs_its_scope_and_the_right_tenant(api, organisation) -> None:
    body = {"recipients": kenyan_numbers(2), "message": "Hi"} | TOMORROW
    schedule = {"scheduleId": api.post(SCHEDULE, body).json()["scheduleId"]}
    other = Api(make_key(make_organisation(), ("send", "read", "manage")))

    sender = Api(make_key(organisation, ("send", "read")))
    assert_error(sender.post(CANCEL, schedule), 403, "insufficient_scope")
    assert_error(other.post(CANCEL, schedule), 404, "not_found")
    assert api.post(CANCEL, schedule).json()["cancelled"] == 2
