"""``POST /api/sms/send-bulk`` with an array: each item a single SMS, linked to one bulk entry."""

from __future__ import annotations

import uuid

import pytest

from bulksms.models import Campaign, Message, MessageLabels
from bulksms.services import organisations
from tests.api.helpers import Api, world
from tests.api.outbox.helpers import (
    OUTBOX,
    PAGE_LOOP,
    SEND_BULK,
    assert_error,
    bulk,
    entry,
    faults,
    item,
)
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier

pytestmark = pytest.mark.django_db


def test_the_request_of_the_page(host, api) -> None:
    answer = api.post(SEND_BULK, PAGE_LOOP)

    assert answer.status_code == 201
    assert answer.json() == {
        "status": "success",
        "message": "Bulk SMS sent using Single SMS in a loop.",
        "outboxIds": [
            str(id_) for id_ in Message.objects.order_by("id").values_list("id", flat=True)
        ],
        "bulkOutboxId": str(Campaign.objects.get().id),
        "scheduledAt": None,
    }


def test_each_is_a_single_linked_to_its_bulk_entry(api, carrier: FakeCarrier) -> None:
    sent = api.post(SEND_BULK, PAGE_LOOP).json()
    carrier.run()

    singles = [entry(api, id_) for id_ in sent["outboxIds"]]
    assert [one["outboxId"] for one in singles] == sent["outboxIds"]
    assert {one["bulkOutboxId"] for one in singles} == {sent["bulkOutboxId"]}
    assert [one["message"] for one in singles] == [one["message"] for one in PAGE_LOOP]
    assert {(one["status"], one["messageName"], one["senderId"]) for one in singles} == {
        ("sent", "Bill Reminder", "TUKUPAY")
    }


def test_the_bulk_entry_of_a_loop(api) -> None:
    sent = api.post(SEND_BULK, PAGE_LOOP).json()

    found = entry(api, sent["bulkOutboxId"])

    assert (found["message"], found["recipients"]) == (None, None)
    assert (found["messageName"], found["senderId"]) == ("Bill Reminder", "TUKUPAY")
    assert (found["totalSmsUnitsUsed"], found["totalCost"]) == (2, 1.2)
    rows = found["nestedOutbox"]
    assert [row["nestedOutboxId"] for row in rows] == sent["outboxIds"]
    assert [(row["recipientPhoneNumber"], row["message"]) for row in rows] == [
        (one["recipient"], one["message"]) for one in PAGE_LOOP
    ]


def test_nothing_is_removed_as_a_duplicate(api) -> None:
    sent = api.post(SEND_BULK, [item()] * 3).json()

    assert len(set(sent["outboxIds"])) == 3
    assert entry(api, sent["bulkOutboxId"])["duplicates"] == 0


def test_one_id_per_item_in_the_order_of_the_items_failed_ones_too(poor) -> None:
    items = [item("12"), item(), item(message=""), item("0723456789"), item("0734567890"),
             item("0745678901")]  # fmt: skip

    sent = poor.post(SEND_BULK, items).json()

    found = [entry(poor, id_) for id_ in sent["outboxIds"]]
    assert [(one["recipientPhoneNumber"], one["status"], one["errorCode"]) for one in found] == [
        ("12", "failed", "invalid_recipient"),
        ("+254712345678", "pending", None),
        ("+254712345678", "failed", "message_required"),
        ("+254723456789", "pending", None),
        ("+254734567890", "failed", "insufficient_balance"),
        ("+254745678901", "failed", "skipped"),
    ]


def test_402_when_nothing_was_for_money() -> None:
    api = Api(make_key(make_organisation(0)))

    answer = api.post(SEND_BULK, [item(), item("12")])

    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (
        402, "error", "insufficient_balance",
    )  # fmt: skip
    assert body["message"] == "Bulk SMS failed."
    assert len(body["outboxIds"]) == 2
    assert entry(api, body["bulkOutboxId"])["status"] == "failed"


@pytest.mark.parametrize("name", ["recipient", "recipientPhoneNumber"])
def test_the_recipient_has_two_names(api, name) -> None:
    sent = api.post(SEND_BULK, [{name: "0712345678", "message": "Hi"}]).json()

    assert entry(api, sent["outboxIds"][0])["recipientPhoneNumber"] == "+254712345678"


def test_placeholders_are_filled_from_variables(api, carrier: FakeCarrier) -> None:
    text = "Dear {name}, your balance is Kes {balance}."
    items = [
        item(message=text, variables={"name": "Wanjiru", "balance": 1250}),
        item("0723456789", text, variables={"name": "Otieno"}),
    ]

    sent = api.post(SEND_BULK, items).json()
    first, second = (entry(api, id_) for id_ in sent["outboxIds"])
    carrier.run()

    assert first["message"] == "Dear Wanjiru, your balance is Kes 1250."
    assert (second["status"], second["errorCode"]) == ("failed", "missing_variable")
    assert [record.text for record in carrier.transport.engine.oracle.records()] == [
        first["message"]
    ]


def test_own_senders(api, organisation, carrier: FakeCarrier) -> None:
    organisations.register_sender(organisation, "SHOP")
    items = [item(senderId="shop"), item("0723456789"), item("0734567890", senderId="OTHER")]

    sent = api.post(SEND_BULK, items).json()
    carrier.run()

    found = entry(api, sent["bulkOutboxId"])
    assert found["senderId"] is None
    singles = [entry(api, id_) for id_ in sent["outboxIds"]]
    assert [(one["senderId"], one["errorCode"]) for one in singles[:2]] == [
        ("SHOP", None),
        ("TUKUPAY", None),
    ]
    assert (singles[2]["status"], singles[2]["errorCode"]) == ("failed", "sender_not_allowed")
    records = carrier.transport.engine.oracle.records()
    assert sorted(record.sender for record in records) == ["SHOP", "TUKUPAY"]


def test_one_sender_for_all_that_is_not_ours_refuses_the_array(api, organisation) -> None:
    before = world(organisation)

    answer = api.post(SEND_BULK, [item(senderId="OTHER")] * 2)

    assert faults(assert_error(answer, 400, "sender_not_allowed")) == [
        ("senderId", "sender_not_allowed")
    ]
    assert world(organisation) == before


def test_own_labels(host, api) -> None:
    items = [
        item(messageName="a", userId="u1", tags=["x"], customData={"n": 1}, messageId="m1"),
        item("0723456789", messageName="b"),
        item("0734567890"),
    ]

    sent = api.post(SEND_BULK, items).json()

    none = {"messageName": None, "userId": None, "tags": [], "customData": {}, "messageId": None}
    singles = [entry(api, id_) for id_ in sent["outboxIds"]]
    shown = [{name: one[name] for name in none} for one in singles]
    assert shown == [
        {name: items[0][name] for name in none},
        none | {"messageName": "b"},
        none,
    ]  # fmt: skip
    assert entry(api, sent["bulkOutboxId"])["messageName"] is None


def test_what_all_items_say_is_said_once(api) -> None:
    """No row of labels for each of ten thousand items with the same name."""
    labels = {"messageName": "Bill", "userId": "u", "tags": ["t"], "customData": {"a": [1]}}
    sent = api.post(SEND_BULK, [item(number, **labels) for number in kenyan_numbers(3)]).json()

    assert MessageLabels.objects.count() == 0
    for id_ in (*sent["outboxIds"], sent["bulkOutboxId"]):
        found = entry(api, id_)
        assert {name: found[name] for name in labels} == labels


def test_priority_and_schedule_are_the_arrays(api) -> None:
    at = "2026-01-06T08:00:00Z"
    sent = api.post(SEND_BULK, [item(scheduleTimestamp=at, priority="normal")] * 2).json()

    assert sent["scheduledAt"] == at
    assert entry(api, sent["outboxIds"][0])["scheduledAt"] == at


@pytest.mark.parametrize(
    ("name", "given"), [("scheduleTimestamp", "2026-01-06T08:00:00Z"), ("priority", "high")]
)
def test_items_that_differ_in_what_is_the_arrays_are_refused(api, name, given) -> None:
    answer = api.post(SEND_BULK, [item(**{name: given}), item()])

    assert faults(assert_error(answer, 400, "must_be_the_same")) == [(name, "must_be_the_same")]


class TestMessageId:
    def test_a_repeat_of_the_array_gets_the_same_answer(self, host, api) -> None:
        items = [item(messageId="m1"), item("0723456789", messageId="m2")]
        first, again = api.post(SEND_BULK, items), api.post(SEND_BULK, items)

        assert (again.status_code, again.content) == (201, first.content)
        assert Message.objects.count() == 2

    def test_one_that_was_used_elsewhere_is_a_conflict(self, api, organisation) -> None:
        bulk(api, "0712345678", messageId="m2")
        before = world(organisation)

        answer = api.post(SEND_BULK, [item(messageId="m1"), item(messageId="m2")])

        assert_error(answer, 409, "message_id_reused")
        assert world(organisation) == before

    def test_a_bulk_with_the_id_of_an_item_is_a_conflict(self, api) -> None:
        api.post(SEND_BULK, [item(messageId="m1")])

        assert_error(bulk(api, "0712345678", messageId="m1"), 409, "message_id_reused")

    def test_two_items_with_one_id_are_refused(self, api, organisation) -> None:
        before = world(organisation)

        answer = api.post(SEND_BULK, [item(messageId="m1"), item(messageId="m1")])

        assert_error(answer, 400, "reference_taken")
        assert world(organisation) == before

    def test_a_foreign_one_is_as_if_never_seen(self, api) -> None:
        other = Api(make_key(make_organisation()))
        items = [item(messageId="m1")]

        answers = [other.post(SEND_BULK, items), api.post(SEND_BULK, items)]

        assert [answer.status_code for answer in answers] == [201, 201]


FAULTY = {
    "no object": ([1], [("[0]", "invalid_type")]),
    "null": ([None], [("[0]", "invalid_type")]),
    "an array": ([[]], [("[0]", "invalid_type")]),
    "typo": ([item(scheduleTimestmp="x")], [("[0].scheduleTimestmp", "unknown_field")]),
    "recipients": ([item(recipients=["x"])], [("[0].recipients", "unknown_field")]),
    "no recipient": ([{"message": "Hi"}], [("[0].recipientPhoneNumber", "required")]),
    "two recipients": (
        [item(), item(recipientPhoneNumber="+254723456789")], [("[1].recipient", "two_recipients")],
    ),
    "sender": ([item(senderId=1)], [("[0].senderId", "invalid_type")]),
    "sender object": ([item(senderId={})], [("[0].senderId", "invalid_type")]),
    "name": ([item(messageName=[])], [("[0].messageName", "invalid_type")]),
    "user": ([item(userId=5)], [("[0].userId", "invalid_type")]),
    "tags": ([item(tags="x")], [("[0].tags", "invalid_type")]),
    "a tag": ([item(tags=[1]), item()], [("[0].tags", "invalid_tag")]),
    "a tag of NUL": ([item(), item(tags=["\x00"])], [("[1].tags", "invalid_tag")]),
    "shared tags": ([item(tags=[""])], [("tags", "invalid_tag")]),
    "custom data": ([item(customData=[])], [("[0].customData", "invalid_type")]),
    "custom data too deep": (
        [item(), item(customData={"a": [[[[[]]]]]})], [("[1].customData", "metadata_too_deep")],
    ),
    "long name": ([item(), item(messageName="x" * 256)], [("[1].messageName", "name_too_long")]),
    "NUL in an id": ([item(messageId="\x00")], [("[0].messageId", "invalid_reference")]),
    "variables": ([item(variables=[])], [("[0].variables", "invalid_type")]),
    "priority": ([item(priority="urgent")], [("priority", "invalid_choice")]),
    "priority object": ([item(priority={})], [("[0].priority", "invalid_type")]),
    "schedule": ([item(scheduleTimestamp=[])], [("[0].scheduleTimestamp", "invalid_type")]),
    "nobody": ([], [("body", "recipients_empty")]),
}  # fmt: skip


def test_faults_are_named_by_item_and_field(api, organisation) -> None:
    before = world(organisation)

    for name, (items, expected) in FAULTY.items():
        answer = api.post(SEND_BULK, items)
        assert faults(assert_error(answer, 400, expected[0][1])) == expected, name
    assert world(organisation) == before


def test_a_flood_of_faults_gets_a_short_answer(api) -> None:
    answer = api.post(SEND_BULK, [{f"x{n}" * 20: 1 for n in range(100)}] * 1_000)

    assert_error(answer, 400, "unknown_field")
    assert len(answer.content) < 20_000


def test_10_001_items_are_too_many(api, organisation) -> None:
    before = world(organisation)

    answer = api.post(SEND_BULK, [item()] * 10_001)

    body = assert_error(answer, 400, "too_many_recipients")
    assert body["message"] == "At most 10000 recipients in one request, got 10001. Split the list."
    assert world(organisation) == before


def test_an_id_of_a_message_of_a_bulk_is_an_entry_too(api) -> None:
    found = bulk(api, "0712345678").json()["bulkOutboxEntry"]
    (row,) = found["nestedOutbox"]

    one = entry(api, row["nestedOutboxId"])

    assert (one["bulkOutboxId"], one["message"]) == (found["outboxId"], "Hi")
    assert {name: one[name] for name in row} == row
    assert api.get(f"{OUTBOX}/{uuid.uuid4()}").status_code == 404
