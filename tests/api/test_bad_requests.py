"""Bad input: the exact answer, never a 500, and no row and no cent has moved. In any host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bulksms.exceptions import WalletBusy
from bulksms.services import sending
from tests.api.helpers import SEND_BULK, Api, assert_problem, faults, world
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = pytest.mark.django_db

ONE = ["254712345678"]


def body(**fields: Any) -> bytes:
    return json.dumps({"recipients": ONE, "message": "Hi"} | fields).encode()


# name: (body, status, code)
NOT_JSON = {
    "no body": b"",
    "white space": b" \n",
    "no JSON": b"recipients=254712345678&message=Hi",
    "cut off": body()[:-1],
    "two documents": body() * 2,
    "NaN": b'{"recipients": [NaN], "message": "Hi"}',
    "Infinity": b'{"recipients": [-Infinity], "message": "Hi"}',
    "number out of range": b'{"recipients": [1e999], "message": "Hi"}',
    "5,000 digits": b'{"recipients": [' + b"9" * 5_000 + b'], "message": "Hi"}',
    "100,000 brackets": b'{"message": "Hi", "recipients": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "100,000 open brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "first half of a pair": b'{"recipients": ["254712345678"], "message": "Hi \\ud83d"}',
    "second half of a pair": b'{"recipients": ["\\ude00"], "message": "Hi"}',
    "invalid UTF-8": b'{"recipients": ["254712345678"], "message": "\xff"}',
    "UTF-16": body().decode().encode("utf-16"),
    "an array": b"[1]",
    "a string": b'"Hi"',
    "null": b"null",
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_no_json_object_is_refused(host, api, organisation, name) -> None:
    before = world(organisation)

    answer = api.raw(SEND_BULK, NOT_JSON[name])

    assert assert_problem(answer, 400, "invalid_json")["errors"] == []
    assert world(organisation) == before


FAULTY: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "nobody": ({"recipients": []}, [("recipients", "recipients_empty")]),
    "recipients null": ({"recipients": None}, [("recipients", "recipients_empty")]),
    "recipients text": ({"recipients": "254712345678"}, [("recipients", "invalid_type")]),
    "recipients number": ({"recipients": 254712345678}, [("recipients", "invalid_type")]),
    "recipients object": ({"recipients": {"a": 1}}, [("recipients", "invalid_type")]),
    "message null": ({"message": None}, [("message", "message_required")]),
    "message empty": ({"message": ""}, [("message", "message_required")]),
    "message blank": ({"message": " \n"}, [("message", "message_required")]),
    "message number": ({"message": 1}, [("message", "invalid_type")]),
    "message array": ({"message": ["Hi"]}, [("message", "invalid_type")]),
    "message NUL": ({"message": "Hi\x00"}, [("message", "message_invalid_characters")]),
    "message 3 MB": ({"message": "x" * 3_000_000}, [("message", "message_too_long")]),
    "sender number": ({"sender_id": 5}, [("sender_id", "invalid_type")]),
    "sender empty": ({"sender_id": ""}, [("sender_id", "sender_not_allowed")]),
    "sender NUL": ({"sender_id": "TALKNTALK\x00"}, [("sender_id", "sender_not_allowed")]),
    "sender not ours": ({"sender_id": "OTHER"}, [("sender_id", "sender_not_allowed")]),
    "typo": ({"scheduledat": "2030-01-01"}, [("scheduledat", "unknown_field")]),
    "null is nothing": ({"scheduled_at": None, "typo": None}, [("typo", "unknown_field")]),
    "flag text": ({"sensitive": "yes"}, [("sensitive", "invalid_type")]),
    "time number": ({"scheduled_at": 1893456000}, [("scheduled_at", "invalid_type")]),
    "time text": ({"scheduled_at": "tomorrow"}, [("scheduled_at", "invalid_datetime")]),
    "time week": ({"scheduled_at": "2030-W01-1"}, [("scheduled_at", "invalid_datetime")]),
    "time day": ({"scheduled_at": "2030-01-01"}, [("scheduled_at", "invalid_datetime")]),
    "time 31 Feb": (
        {"scheduled_at": "2030-02-31T08:00:00Z"},
        [("scheduled_at", "invalid_datetime")],
    ),
    "time no zone": (
        {"scheduled_at": "2030-01-01T08:00:00"},
        [("scheduled_at", "time_zone_required")],
    ),
    "time past": ({"scheduled_at": "2020-01-01T08:00:00Z"}, [("scheduled_at", "in_the_past")]),
    "time year 1": (
        {"scheduled_at": "0001-01-01T00:00:00+14:00"},
        [("scheduled_at", "in_the_past")],
    ),
    "time far": (
        {"scheduled_at": "9999-12-31T23:59:59-14:00"},
        [("scheduled_at", "too_far_ahead")],
    ),
    "expiry past": ({"expires_at": "2020-01-01T08:00:00Z"}, [("expires_at", "in_the_past")]),
    "priority word": ({"priority": "urgent"}, [("priority", "invalid_choice")]),
    "priority array": ({"priority": ["high"]}, [("priority", "invalid_choice")]),
    "funds word": ({"on_insufficient_funds": "x"}, [("on_insufficient_funds", "invalid_choice")]),
    "reference number": ({"reference": 7}, [("reference", "invalid_type")]),
    "reference long": ({"reference": "r" * 256}, [("reference", "reference_too_long")]),
    "reference NUL": ({"reference": "a\x00"}, [("reference", "invalid_reference")]),
    "tags text": ({"tags": "a"}, [("tags", "invalid_type")]),
    "tags number": ({"tags": [1]}, [("tags", "invalid_tag")]),
    "tags empty": ({"tags": [""]}, [("tags", "invalid_tag")]),
    "tags NUL": ({"tags": ["a\x00"]}, [("tags", "invalid_tag")]),
    "tags many": ({"tags": ["a"] * 21}, [("tags", "too_many_tags")]),
    "tags long": ({"tags": ["a" * 51]}, [("tags", "invalid_tag")]),
    "metadata array": ({"metadata": []}, [("metadata", "invalid_type")]),
    "metadata NUL": ({"metadata": {"a": ["\x00"]}}, [("metadata", "invalid_metadata")]),
    "metadata NUL name": ({"metadata": {"\x00": 1}}, [("metadata", "invalid_metadata")]),
    "metadata large": ({"metadata": {"a": "x" * 4_100}}, [("metadata", "metadata_too_large")]),
    "metadata deep": ({"metadata": {"a": [[[[[]]]]]}}, [("metadata", "metadata_too_deep")]),
    "max_cost text": ({"max_cost": "a lot"}, [("max_cost", "invalid_amount")]),
    "max_cost object": ({"max_cost": {}}, [("max_cost", "invalid_type")]),
    "max_cost true": ({"max_cost": True}, [("max_cost", "invalid_type")]),
    "max_cost negative": ({"max_cost": -1}, [("max_cost", "invalid_amount")]),
    "max_cost huge": ({"max_cost": 10**1_000}, [("max_cost", "invalid_amount")]),
    "max_cost tiny": ({"max_cost": 1e-300}, [("max_cost", "invalid_amount")]),
    "both": ({"messages": [{"to": "254712345678"}]}, [("recipients", "recipients_or_messages")]),
    "own not array": ({"recipients": None, "messages": {}}, [("messages", "invalid_type")]),
    "own empty": ({"recipients": None, "messages": []}, [("messages", "recipients_empty")]),
    "own not object": ({"recipients": None, "messages": ["x"]}, [("messages[0]", "invalid_type")]),
    "own without to": ({"recipients": None, "messages": [{}]}, [("messages[0].to", "required")]),
    "own typo": (
        {"recipients": None, "messages": [{"to": "254712345678", "text": "x"}]},
        [("messages[0].text", "unknown_field")],
    ),
    "own variables": (
        {"recipients": None, "messages": [{"to": "254712345678", "variables": "x"}]},
        [("messages[0].variables", "invalid_type")],
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_named_by_field(host, api, organisation, name) -> None:
    fields, expected = FAULTY[name]
    before = world(organisation)

    answer = api.raw(SEND_BULK, body(**fields))

    assert faults(assert_problem(answer, 400, expected[0][1])) == expected
    assert world(organisation) == before


def test_10_001_recipients_are_too_many(host, api, organisation) -> None:
    before = world(organisation)

    answer = api.send(*kenyan_numbers(10_001))

    found = assert_problem(answer, 400, "too_many_recipients")
    assert found["errors"] == [
        {
            "field": "recipients",
            "code": "too_many_recipients",
            "detail": "At most 10000 recipients in one request, got 10001. Split the list.",
        }
    ]
    assert world(organisation) == before


@pytest.mark.parametrize("missing", ["recipients", "message"])
def test_required_fields(host, api, organisation, missing) -> None:
    before = world(organisation)
    fields: dict[str, Any] = {"recipients": ONE, "message": "Hi"}
    del fields[missing]

    answer = api.post(SEND_BULK, fields)

    code = {"recipients": "recipients_empty", "message": "message_required"}[missing]
    assert faults(assert_problem(answer, 400, code)) == [(missing, code)]
    assert world(organisation) == before


def test_all_faults_are_named_at_once(api) -> None:
    answer = api.post(
        SEND_BULK, {"sender": "X", "tags": 5, "recipients": "0712345678", "sender_id": 7}
    )

    assert faults(assert_problem(answer, 400, "unknown_field")) == [
        ("sender", "unknown_field"),
        ("recipients", "invalid_type"),
        ("tags", "invalid_type"),
        ("message", "message_required"),
        ("sender_id", "invalid_type"),
    ]


def test_faults_of_shape_and_of_meaning_are_named_together(api) -> None:
    answer = api.raw(SEND_BULK, body(message="x" * 5_000, sender_id="OTHER", colour="red"))

    assert faults(assert_problem(answer, 400, "unknown_field")) == [
        ("colour", "unknown_field"),
        ("message", "message_too_long"),
        ("sender_id", "sender_not_allowed"),
    ]


def test_a_flood_of_unknown_fields_gets_a_short_answer(api) -> None:
    answer = api.raw(SEND_BULK, body(**{f"f{n}" + "y" * 1_000: 1 for n in range(1_000)}))

    assert_problem(answer, 400, "unknown_field")
    assert len(answer.content) < 5_000


TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/jsonp", "application/json-patch+json", "x", ""]  # fmt: skip


@pytest.mark.parametrize("content_type", TYPES)
def test_the_wrong_content_type_is_refused(host, api, organisation, content_type) -> None:
    before = world(organisation)

    answer = api.raw(SEND_BULK, body(), content_type)

    assert_problem(answer, 415, "unsupported_media_type")
    assert world(organisation) == before


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_of_the_content_type_do_not_matter(api, content_type) -> None:
    assert api.raw(SEND_BULK, body(), content_type).status_code == 201


def test_a_body_over_the_limit_is_refused(host, api, organisation, settings) -> None:
    settings.BULKSMS = settings.BULKSMS | {"MAX_BODY_BYTES": 1_000}
    before = world(organisation)

    assert api.raw(SEND_BULK, body().ljust(1_000)).status_code == 201
    after = world(organisation)
    answer = api.raw(SEND_BULK, body().ljust(1_001))

    found = assert_problem(answer, 413, "body_too_large")
    assert found["detail"] == "The body is larger than 1000 bytes. Send several smaller requests."
    assert before != after == world(organisation)


def test_a_client_that_asks_for_problem_json_gets_it(api) -> None:
    accept = "application/json, application/problem+json"

    answer = api.raw(SEND_BULK, b"", accept=accept)

    assert answer["Content-Type"] == "application/problem+json"
    assert "Accept" in answer["Vary"].split(", ")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_other_methods(host, api, method) -> None:
    answer = getattr(api.client, method)(SEND_BULK, headers=api.headers)

    assert answer.status_code == 405
    assert answer["Allow"] == "POST, OPTIONS"
    if method != "head":
        assert_problem(answer, 405, "method_not_allowed")


def test_options_needs_no_key(host, db) -> None:
    answer = Api(None).client.options(SEND_BULK)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize(
    "path", ["/v1/sms/", "/v1/sms/nothing/", "/v1/sms/campaigns/", "/v1/sms/x/y"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_addresses_that_are_not_there(host, api, path, method) -> None:
    answer = getattr(api.client, method)(path, headers=api.headers)

    assert_problem(answer, 404, "not_found")


def test_too_many_parameters(host, api) -> None:
    """Django refuses them itself, when they are first looked at."""
    answer = api.get("/v1/balance/", {f"p{n}": n for n in range(2_000)})

    assert_problem(answer, 400, "bad_request")


def test_a_busy_wallet_says_when_to_try_again(host, api, monkeypatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise WalletBusy("Busy.")

    monkeypatch.setattr(sending, "send", busy)

    answer = api.raw(SEND_BULK, body())

    assert_problem(answer, 503, "wallet_busy")
    assert answer["Retry-After"] == "1"


def test_a_bug_is_not_hidden(api, monkeypatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sending, "send", broken)

    with pytest.raises(ZeroDivisionError):
        api.raw(SEND_BULK, body())


def test_sentences_are_english_whatever_the_host_speaks(host) -> None:
    api = Api(make_key(make_organisation(balance_micros=500_000, price_micros=1_234_567_890)))

    answer = api.raw(SEND_BULK, body(), **{"accept-language": "de"})

    assert answer.json()["errors"][0]["detail"] == (
        "Insufficient balance. Required KES 1234.56789, available KES 0.50."
    )
