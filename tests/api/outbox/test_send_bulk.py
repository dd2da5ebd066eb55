"""``POST /api/sms/send-bulk`` with an object: one text for all, as the page has it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bulksms.models import Campaign, Message
from bulksms.services import wallet
from bulksms.testing import virtual_clock
from tests.api.helpers import Api, world
from tests.api.outbox.helpers import (
    PAGE_BODY,
    SEND_BULK,
    TEXT,
    assert_error,
    bulk,
    entry,
    faults,
)
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db

NOW = "2026-01-05T09:00:00Z"
SKIPPED = "Processing stopped due to insufficient balance."


def nested(number: str, **more: Any) -> dict[str, Any]:
    """A nested entry just accepted, but for its id."""
    return {
        "recipientPhoneNumber": number,
        "smsUnitsUsed": 1,
        "costPerUnit": 0.6,
        "totalCost": 0.6,
        "status": "pending",
        "deliveryStatus": "queued",
        "timestamps": {"createdAt": NOW, "sentAt": None, "lastAttemptAt": None},
        "retryCount": 0,
        "errorCode": None,
        "errorDetails": None,
        **more,
    }


def test_the_request_of_the_page(host, api) -> None:
    answer = api.post(SEND_BULK, PAGE_BODY)

    body = answer.json()
    rows = body["bulkOutboxEntry"]["nestedOutbox"]
    ids = [uuid.UUID(row.pop("nestedOutboxId")) for row in rows]
    assert answer.status_code == 201
    assert ids == list(Message.objects.order_by("id").values_list("id", flat=True))
    assert body == {
        "status": "success",
        "bulkOutboxEntry": {
            "outboxId": str(Campaign.objects.get().id),
            "userId": "user123",
            "senderId": "TUKUPAY",
            "messageId": "bulkMsg123",
            "messageName": "Bill Reminder",
            "message": TEXT,
            "recipients": PAGE_BODY["recipients"],
            "recipientsCount": 3,
            "duplicates": 0,
            "totalSmsUnitsUsed": 3,
            "totalCost": 1.8,
            "currency": "KES",
            "status": "pending",
            "scheduledAt": None,
            "timestamps": {"createdAt": NOW, "completedAt": None, "lastAttemptAt": None},
            "retryCount": 0,
            "nestedOutbox": [nested(number) for number in PAGE_BODY["recipients"]],
            "tags": ["bill-reminder", "bulk"],
            "customData": {"purpose": "Bill Reminder Campaign", "linkedTransactionId": "txn456"},
        },
        "message": "Bulk SMS accepted.",
    }
    assert answer["Content-Type"] == "application/json"


def test_optional_fields_may_be_left_out(api) -> None:
    found = bulk(api, "0712345678").json()["bulkOutboxEntry"]

    assert (found["userId"], found["messageId"], found["messageName"]) == (None, None, None)
    assert (found["tags"], found["customData"], found["senderId"]) == ([], {}, "TUKUPAY")


def test_a_null_is_a_field_that_is_not_there(api) -> None:
    optional = ("userId", "senderId", "messageName", "messageId", "scheduleTimestamp", "priority",
                "tags", "customData")  # fmt: skip

    assert bulk(api, "0712345678", **dict.fromkeys(optional)).status_code == 201


def test_all_sent(api, carrier: FakeCarrier) -> None:
    outbox_id = api.post(SEND_BULK, PAGE_BODY).json()["bulkOutboxEntry"]["outboxId"]

    carrier.run()
    answer = api.get(f"/api/sms/outbox/{outbox_id}").json()

    found = answer["bulkOutboxEntry"]
    assert (answer["status"], answer["message"]) == ("success", "Bulk SMS sent.")
    assert (found["status"], found["totalSmsUnitsUsed"], found["totalCost"]) == ("sent", 3, 1.8)
    assert found["timestamps"]["createdAt"] == found["timestamps"]["lastAttemptAt"] == NOW
    assert found["timestamps"]["completedAt"] == "2026-01-05T09:00:10Z"
    for row in found["nestedOutbox"]:
        assert (row["status"], row["deliveryStatus"], row["retryCount"]) == ("sent", "delivered", 0)
        assert row["timestamps"] == {"createdAt": NOW, "sentAt": NOW, "lastAttemptAt": NOW}


def test_partial_for_money(poor, carrier: FakeCarrier) -> None:
    """The page's sample is "partial": here the money ends after two."""
    first = bulk(poor, *kenyan_numbers(4))
    carrier.run()
    answer = poor.get(f"/api/sms/outbox/{first.json()['bulkOutboxEntry']['outboxId']}").json()

    assert (first.status_code, first.json()["message"]) == (201, "Bulk SMS accepted.")
    found = answer["bulkOutboxEntry"]
    assert found["status"] == "partial"
    assert answer["message"] == "Bulk SMS sent partially. Check nested outbox for details."
    rows = [(r["status"], r["deliveryStatus"], r["errorDetails"]) for r in found["nestedOutbox"]]
    assert rows == [
        ("sent", "delivered", None),
        ("sent", "delivered", None),
        ("failed", "failed", "Insufficient balance. Required KES 0.60, available KES 0.00."),
        ("failed", "skipped", SKIPPED),
    ]
    assert [r["errorCode"] for r in found["nestedOutbox"][2:]] == [
        "insufficient_balance",
        "skipped",
    ]


def test_rows_add_up_to_the_entry(poor) -> None:
    found = bulk(poor, "0712345678", "12", "0723456789", "0734567890").json()["bulkOutboxEntry"]

    rows = found["nestedOutbox"]
    assert [(row["smsUnitsUsed"], row["totalCost"]) for row in rows] == [
        (1, 0.6), (0, 0.0), (1, 0.6), (0, 0.0),
    ]  # fmt: skip
    assert (found["totalSmsUnitsUsed"], found["totalCost"]) == (2, 1.2)


def test_402_when_nothing_was_for_money(host) -> None:
    organisation = make_organisation(0, 600_000, "TUKUPAY")
    api = Api(make_key(organisation))

    answer = bulk(api, *kenyan_numbers(2))

    body = answer.json()
    found = body.pop("bulkOutboxEntry")
    detail = "Insufficient balance. Required KES 0.60, available KES 0.00."
    assert answer.status_code == 402
    assert body == {
        "status": "error",
        "message": "Bulk SMS failed.",
        "code": "insufficient_balance",
        "errors": [
            {"field": "recipients", "code": "insufficient_balance", "message": detail},
            {"field": "recipients", "code": "skipped", "message": SKIPPED},
        ],
    }
    assert (found["status"], found["timestamps"]["completedAt"]) == ("failed", NOW)
    assert entry(api, found["outboxId"]) == found


def test_400_when_nothing_was_for_other_reasons(api) -> None:
    answer = bulk(api, "12", "0202222222")

    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "invalid_recipient")
    assert body["bulkOutboxEntry"]["status"] == "failed"
    assert body["bulkOutboxEntry"]["recipients"] == ["12", "0202222222"]


def test_201_when_anything_was_accepted(api) -> None:
    answer = bulk(api, "12", "0712345678")

    assert answer.status_code == 201
    assert [row["status"] for row in answer.json()["bulkOutboxEntry"]["nestedOutbox"]] == [
        "failed",
        "pending",
    ]


def test_duplicates_are_removed_by_number_and_counted(api) -> None:
    found = bulk(api, "0712345678", "+254712345678", "0723456789").json()["bulkOutboxEntry"]

    assert found["recipients"] == ["+254712345678", "+254723456789"]
    assert (found["duplicates"], found["recipientsCount"]) == (1, 2)


def test_what_was_written_is_echoed_where_it_differs(api) -> None:
    rows = bulk(api, "0712 345 678", "254723456789", "+254734567890").json()["bulkOutboxEntry"][
        "nestedOutbox"
    ]

    assert [row.get("input") for row in rows] == ["0712 345 678", None, None]


@pytest.mark.parametrize(
    ("text", "units"),
    [("x" * 160, 1), ("x" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("ش" * 70, 1), ("ش" * 71, 2)],
)
def test_a_unit_is_a_part_also_of_long_and_unicode_texts(api, text, units) -> None:
    """The page says "160 characters per segment", which is right for one part of plain text."""
    found = bulk(api, *kenyan_numbers(2), message=text).json()["bulkOutboxEntry"]

    assert found["totalSmsUnitsUsed"] == 2 * units
    assert {row["smsUnitsUsed"] for row in found["nestedOutbox"]} == {units}


def test_money_is_a_json_number_printed_exactly() -> None:
    """KES 0.805 is not a float of 0.80500000000000005."""
    organisation = make_organisation(10**12, 805_001)
    answer = bulk(Api(make_key(organisation)), *kenyan_numbers(3))

    assert b'"costPerUnit":0.805001,' in answer.content
    assert b'"totalCost":2.415003,' in answer.content


def test_a_whole_amount_is_a_number_with_a_decimal() -> None:
    """The page prints ``3.0``."""
    organisation = make_organisation(10**12, 1_000_000)

    assert b'"totalCost":3.0,' in bulk(Api(make_key(organisation)), *kenyan_numbers(3)).content


def test_a_schedule_in_the_future_is_kept(api, carrier: FakeCarrier) -> None:
    at = "2026-01-05T14:00:00+03:00"
    found = bulk(api, "0712345678", scheduleTimestamp=at).json()["bulkOutboxEntry"]
    carrier.run(hours=1)

    assert (found["status"], found["scheduledAt"]) == ("pending", "2026-01-05T11:00:00Z")
    assert carrier.total_accepted == 0
    carrier.run(hours=1)
    carrier.run()
    assert entry(api, found["outboxId"])["status"] == "sent"


def test_a_schedule_in_the_past_means_now(api, carrier: FakeCarrier) -> None:
    """The page's own sample is past."""
    found = api.post(SEND_BULK, PAGE_BODY).json()["bulkOutboxEntry"]
    carrier.run()

    assert found["scheduledAt"] is None
    assert carrier.total_accepted == 3


NO_MOMENTS: list[tuple[Any, str]] = [
    ("2027-01-05T11:00:00", "time_zone_required"),
    ("2027-01-05T11:00:00Z", "too_far_ahead"),
    ("tomorrow", "invalid_datetime"),
    ("2026-02-31T00:00:00Z", "invalid_datetime"),
    ("", "invalid_datetime"),
    (1767603600, "invalid_type"),
    ("9999-12-31T23:59:59-12:00", "too_far_ahead"),
]


def test_a_schedule_that_is_none(api, organisation) -> None:
    before = world(organisation)

    for given, code in NO_MOMENTS:
        answer = bulk(api, "0712345678", scheduleTimestamp=given)
        assert faults(assert_error(answer, 400, code)) == [("scheduleTimestamp", code)]
    assert world(organisation) == before


def test_the_first_moment_there_is_means_now(api) -> None:
    answer = bulk(api, "0712345678", scheduleTimestamp="0001-01-01T00:00:00+14:00")

    assert answer.json()["bulkOutboxEntry"]["scheduledAt"] is None


class TestMessageId:
    """The client's own id makes a request repeatable."""

    def test_a_repeat_with_the_same_body_gets_the_same_answer(self, host, api) -> None:
        first = api.post(SEND_BULK, PAGE_BODY)
        second = api.post(SEND_BULK, dict(reversed(PAGE_BODY.items())))

        assert (second.status_code, second.content) == (201, first.content)
        assert second["Idempotent-Replayed"] == "true"
        assert Campaign.objects.count() == 1

    def test_also_when_much_has_happened_since(self, api, carrier: FakeCarrier) -> None:
        first = api.post(SEND_BULK, PAGE_BODY)
        carrier.run()
        virtual_clock.advance(days=300)

        assert api.post(SEND_BULK, PAGE_BODY).content == first.content
        assert carrier.total_accepted == 3

    def test_also_when_its_future_has_passed(self, api, carrier: FakeCarrier) -> None:
        body = PAGE_BODY | {"scheduleTimestamp": "2026-01-05T11:00:00Z"}
        first = api.post(SEND_BULK, body)
        carrier.run(hours=3)

        assert api.post(SEND_BULK, body).content == first.content

    @pytest.mark.parametrize(
        "change", [{"message": "Other"}, {"recipients": ["0712345678"]}, {"tags": []}]
    )
    def test_another_body_is_a_conflict(self, host, api, organisation, change) -> None:
        api.post(SEND_BULK, PAGE_BODY)
        before = world(organisation)

        answer = api.post(SEND_BULK, PAGE_BODY | change)

        assert_error(answer, 409, "message_id_reused")
        assert world(organisation) == before

    def test_another_address_is_another_request(self, api) -> None:
        body = {"messageId": "m1", "recipient": "0712345678", "message": "Hi"}
        assert api.post("/api/sms/send", body).status_code == 201

        answer = bulk(api, "0712345678", messageId="m1")

        assert_error(answer, 409, "message_id_reused")

    def test_a_foreign_one_is_as_if_never_seen(self, api) -> None:
        other = Api(make_key(make_organisation(sender="TUKUPAY")))
        theirs = other.post(SEND_BULK, PAGE_BODY)

        ours = api.post(SEND_BULK, PAGE_BODY)

        assert (theirs.status_code, ours.status_code) == (201, 201)
        assert Campaign.objects.count() == 2
        assert "Idempotent-Replayed" not in ours

    def test_one_that_failed_for_money_fails_again(self) -> None:
        """It is retried after a top-up, under its ``outboxId``."""
        organisation = make_organisation(0)
        api = Api(make_key(organisation))
        first = bulk(api, "0712345678", messageId="m1")
        wallet.top_up(organisation, 10_000_000, key="more")

        again = bulk(api, "0712345678", messageId="m1")

        assert (again.status_code, again.content) == (402, first.content)

    def test_v1_knows_it_as_the_reference(self, api) -> None:
        api.post(SEND_BULK, PAGE_BODY)

        assert Campaign.objects.get().reference == "bulkMsg123"


def test_an_idempotency_key_works_as_in_v1(host, api) -> None:
    key = {"idempotency-key": "k1"}
    body = {"recipients": ["0712345678"], "message": "Hi"}
    first, again = (api.post(SEND_BULK, body, **key) for _ in range(2))
    other = api.post(SEND_BULK, body | {"message": "Ho"}, **key)

    assert (first.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert_error(other, 422, "idempotency_key_reused")


def test_an_idempotency_key_of_what_failed_as_a_whole_is_not_kept() -> None:
    organisation = make_organisation(0)
    api, key = Api(make_key(organisation)), {"idempotency-key": "k1"}
    body = {"recipients": ["0712345678"], "message": "Hi"}
    assert api.post(SEND_BULK, body, **key).status_code == 402
    wallet.top_up(organisation, 10_000_000, key="more")

    assert api.post(SEND_BULK, body, **key).status_code == 201


def test_custom_data_comes_back_the_same_however_it_was_written(host, api) -> None:
    """jsonb keeps neither the order of keys nor how a number was written."""
    body = {
        "recipients": ["0712345678"], "message": "Hi", "messageId": "m1",
        "customData": {"zebra": 1.0, "a": 1e22, "bb": [{"y": -0.0, "x": 2.5e-7}], "c": 1.5e300},
    }  # fmt: skip

    first, again = api.post(SEND_BULK, body), api.post(SEND_BULK, body)

    assert again.content == first.content
    found = first.json()["bulkOutboxEntry"]
    assert {**found["customData"], "c": 1.5e300} == body["customData"]
    assert float(found["customData"]["c"]) == 1.5e300
    assert entry(api, found["outboxId"])["customData"] == found["customData"]


def test_priority_high_needs_its_scope(api) -> None:
    assert_error(bulk(api, "0712345678", priority="high"), 403, "insufficient_scope")


def test_priority_high(organisation) -> None:
    api = Api(make_key(organisation, ("send", "priority")))

    assert bulk(api, "0712345678", priority="high").status_code == 201
    assert Campaign.objects.get().priority == "high"
    answer = bulk(api, *kenyan_numbers(101), priority="high")
    assert_error(answer, 400, "too_many_for_high_priority")


def test_the_number_of_statements_does_not_depend_on_the_number_of_recipients() -> None:
    def statements(recipients: int) -> int:
        api = Api(make_key(make_organisation()))
        with CaptureQueriesContext(connection) as captured:
            assert bulk(api, *kenyan_numbers(recipients)).status_code == 201
        return len(captured)

    assert statements(10) == statements(2_000)


def test_an_address_with_a_slash_is_the_same(api) -> None:
    assert api.post(f"{SEND_BULK}/", PAGE_BODY).status_code == 201
