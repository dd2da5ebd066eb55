"""Bad input: the exact answer in this dialect's shape, never a 500, and nothing has moved."""

from __future__ import annotations

from typing import Any

import pytest

from bulksms.exceptions import WalletBusy
from bulksms.services import sending
from tests.api.helpers import Api, world
from tests.api.outbox.helpers import (
    PAGE_BODY,
    SCHEDULE,
    SEND,
    SEND_BULK,
    assert_error,
    bulk,
    faults,
)
from tests.api.test_bad_requests import NOT_JSON
from tests.factories import kenyan_numbers, make_key

pytestmark = pytest.mark.django_db

POSTS = [SEND_BULK, SEND, SCHEDULE, "/api/sms/cancel-schedule", "/api/sms/outbox/x/retry"]
GETS = ["/api/sms/outbox", "/api/sms/outbox/x", "/api/sms-costs/current", "/api/sms-costs/history",
        "/api/sms-wallet/balance"]  # fmt: skip


def test_what_is_no_json_is_refused_everywhere(host, api, organisation) -> None:
    before = world(organisation)

    for path in (SEND_BULK, SEND, SCHEDULE, "/api/sms/cancel-schedule"):
        for name, body in NOT_JSON.items():
            if name == "an array" and path == SEND_BULK:
                continue
            found = assert_error(api.raw(path, body), 400, "invalid_json")
            assert found["errors"] == [], name
    assert world(organisation) == before


FAULTY: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "nobody": ({"recipients": []}, [("recipients", "recipients_empty")]),
    "recipients null": ({"recipients": None}, [("recipients", "recipients_empty")]),
    "recipients text": ({"recipients": "0712345678"}, [("recipients", "invalid_type")]),
    "recipients object": ({"recipients": {}}, [("recipients", "invalid_type")]),
    "message null": ({"message": None}, [("message", "message_required")]),
    "message blank": ({"message": " \n"}, [("message", "message_required")]),
    "message number": ({"message": 1}, [("message", "invalid_type")]),
    "message NUL": ({"message": "Hi\x00"}, [("message", "message_invalid_characters")]),
    "message 3 MB": ({"message": "x" * 3_000_000}, [("message", "message_too_long")]),
    "sender number": ({"senderId": 5}, [("senderId", "invalid_type")]),
    "sender array": ({"senderId": []}, [("senderId", "invalid_type")]),
    "sender not ours": ({"senderId": "OTHER"}, [("senderId", "sender_not_allowed")]),
    "user": ({"userId": 5}, [("userId", "invalid_type")]),
    "user NUL": ({"userId": "\x00"}, [("userId", "invalid_user_label")]),
    "name": ({"messageName": {}}, [("messageName", "invalid_type")]),
    "name long": ({"messageName": "x" * 256}, [("messageName", "name_too_long")]),
    "id": ({"messageId": 5}, [("messageId", "invalid_type")]),
    "id long": ({"messageId": "x" * 256}, [("messageId", "reference_too_long")]),
    "id NUL": ({"messageId": "\x00"}, [("messageId", "invalid_reference")]),
    "priority": ({"priority": "urgent"}, [("priority", "invalid_choice")]),
    "priority array": ({"priority": []}, [("priority", "invalid_choice")]),
    "tags text": ({"tags": "bulk"}, [("tags", "invalid_type")]),
    "tags of numbers": ({"tags": [1]}, [("tags", "invalid_tag")]),
    "tag NUL": ({"tags": ["\x00"]}, [("tags", "invalid_tag")]),
    "21 tags": ({"tags": ["x"] * 21}, [("tags", "too_many_tags")]),
    "data text": ({"customData": "x"}, [("customData", "invalid_type")]),
    "data NUL": ({"customData": {"a": ["\x00"]}}, [("customData", "invalid_metadata")]),
    "data NUL name": ({"customData": {"\x00": 1}}, [("customData", "invalid_metadata")]),
    "data large": ({"customData": {"a": "x" * 4096}}, [("customData", "metadata_too_large")]),
    "data deep": ({"customData": {"a": [[[[[1]]]]]}}, [("customData", "metadata_too_deep")]),
    "typo": ({"scheduletimestamp": "2030"}, [("scheduletimestamp", "unknown_field")]),
    "v1's name": ({"sender_id": "TUKUPAY"}, [("sender_id", "unknown_field")]),
    "several": (
        {"colour": 1, "recipients": 5, "message": "", "senderId": "OTHER", "tags": 3},
        [("colour", "unknown_field"), ("recipients", "invalid_type"), ("tags", "invalid_type"),
         ("message", "message_required"), ("senderId", "sender_not_allowed")],
    ),
}  # fmt: skip


def test_faults_are_named_by_field_in_this_dialects_words(host, api, organisation) -> None:
    before = world(organisation)

    for name, (fields, expected) in FAULTY.items():
        body = assert_error(api.post(SEND_BULK, PAGE_BODY | fields), 400, expected[0][1])
        assert faults(body) == expected, name
        snake = {"sender_id", "scheduled_at", "user_label", "metadata", "reference"}
        words = {word.strip(".,") for fault in body["errors"] for word in fault["message"].split()}
        assert name == "v1's name" or not words & snake, name
    assert world(organisation) == before


def test_10_001_recipients_are_too_many(api, organisation) -> None:
    before = world(organisation)

    answer = bulk(api, *kenyan_numbers(10_001))

    assert faults(assert_error(answer, 400, "too_many_recipients")) == [
        ("recipients", "too_many_recipients")
    ]
    assert world(organisation) == before


def test_a_wrong_key_is_told_in_this_dialect(db) -> None:
    api = Api("bsk_live_nothing_x")
    for path in (*POSTS, *GETS):
        answer = api.post(path, {}) if path in POSTS else api.get(path)
        body = assert_error(answer, 401, "authentication_failed")
        assert body["message"] == "Missing, malformed, unknown, revoked or expired API key."
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_key_without_the_scope_is_told_so(organisation) -> None:
    api = Api(make_key(organisation, ()))
    for path in POSTS:
        assert_error(api.post(path, {}), 403, "insufficient_scope")
    for path in GETS:
        assert_error(api.get(path), 403, "insufficient_scope")


def test_wrong_content_types(host, api) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "x", ""):
        assert_error(api.raw(SEND_BULK, b"[]", content_type), 415, "unsupported_media_type")


def test_other_methods(host, api) -> None:
    for path in POSTS:
        answer = api.client.delete(path, headers=api.headers)
        assert_error(answer, 405, "method_not_allowed")
        assert answer["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize(
    "path", ["/api/sms/", "/api/sms/nothing", "/api/sms/outbox/x/y", "/api/sms-costs/x",
             "/api/sms-wallet/"],
)  # fmt: skip
def test_addresses_that_are_not_there(host, api, path) -> None:
    assert_error(api.get(path), 404, "not_found")


def test_a_body_over_the_limit_is_refused(api, settings) -> None:
    settings.BULKSMS = settings.BULKSMS | {"MAX_BODY_BYTES": 100}

    assert_error(api.post(SEND_BULK, PAGE_BODY), 413, "body_too_large")


def test_over_the_limit_of_requests(api, settings) -> None:
    settings.BULKSMS = settings.BULKSMS | {"RATE_LIMITS": {"send-bulk": 1}}
    assert bulk(api, "0712345678").status_code == 201

    answer = bulk(api, "0712345678")

    assert_error(answer, 429, "rate_limited")
    assert answer["Retry-After"] == "60"
    assert answer["RateLimit"] == '"send-bulk";r=0;t=60'


def test_a_busy_wallet_says_when_to_try_again(api, monkeypatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise WalletBusy("Busy.")

    monkeypatch.setattr(sending, "send", busy)

    answer = bulk(api, "0712345678")

    assert_error(answer, 503, "wallet_busy")
    assert answer["Retry-After"] == "1"


def test_problem_json_is_v1s(api) -> None:
    answer = api.raw(SEND_BULK, b"", accept="application/problem+json")

    assert_error(answer, 400, "invalid_json")


def test_sentences_are_english_whatever_the_host_speaks(host, poor) -> None:
    rows = bulk(poor, *kenyan_numbers(3)).json()["bulkOutboxEntry"]["nestedOutbox"]

    assert rows[2]["errorDetails"] == (
        "Insufficient balance. Required KES 0.60, available KES 0.00."
    )


def test_bad_recipients_fail_alone_and_keep_their_place(api) -> None:
    rows = bulk(api, "12", 254712345678, None, {"a": 1}, "A\x00B", "+254712345678").json()[
        "bulkOutboxEntry"
    ]["nestedOutbox"]

    assert [(row["recipientPhoneNumber"], row["status"]) for row in rows] == [
        ("12", "failed"),
        ("254712345678", "failed"),
        ("(NoneType)", "failed"),
        ("(dict)", "failed"),
        ("A\ufffdB", "failed"),
        ("+254712345678", "pending"),
    ]
