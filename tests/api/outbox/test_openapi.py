"""The OpenAPI document: the one that is served is the one that the code makes, and it is true."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from bulksms.api.outbox import schema, shapes
from bulksms.services import wallet
from bulksms.testing import virtual_clock
from tests import openapi
from tests.api.helpers import Api
from tests.api.outbox.helpers import OUTBOX, PAGE_BODY, PAGE_LOOP, SCHEDULE, SEND, SEND_BULK, bulk
from tests.factories import kenyan_numbers, make_key, make_organisation
from tests.harness import FakeCarrier

PATH = "/api/sms/openapi.json"


def check(name: str, value: object) -> None:
    """Raises jsonschema.ValidationError unless ``value`` is a ``name``."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": shapes.SCHEMAS}}
    jsonschema.Draft202012Validator(root).validate(value)


def example(name: str) -> Any:
    body = schema.OPERATIONS[name, "POST"]["requestBody"]["content"]["application/json"]
    return body["example"]


def test_what_is_served_is_what_the_code_makes() -> None:
    """If this is red: ``make openapi``."""
    assert openapi.OUTBOX.read_text() == openapi.written(schema.build())


def test_it_is_served_without_a_key_in_any_host(host) -> None:
    answer = Api(None).get(PATH)

    document = json.loads(answer.content)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert document["openapi"] == "3.1.0"
    assert "/api/sms/send-bulk" in document["paths"]


def test_every_reference_leads_somewhere() -> None:
    text = openapi.OUTBOX.read_text()
    document = json.loads(text)

    for piece in text.split('"$ref": "#/')[1:]:
        place = document
        for step in piece.partition('"')[0].split("/"):
            place = place[step]
        assert place


def test_the_example_is_the_pages() -> None:
    assert example("send-bulk") == PAGE_BODY


@pytest.mark.django_db
def test_examples_are_bodies_and_are_accepted(api) -> None:
    virtual_clock.advance(days=10)
    for name, path in (("send-bulk", SEND_BULK), ("send", SEND), ("schedule", SCHEDULE)):
        schema_name = {"send-bulk": "SendBulk", "send": "Send", "schedule": "Schedule"}[name]
        check(schema_name, example(name))
        assert api.post(path, example(name)).status_code == 201
    check("SendBulk", PAGE_LOOP)


@pytest.mark.django_db
def test_answers_are_as_the_document_says(poor, carrier: FakeCarrier) -> None:
    sent = bulk(poor, "0712 345 678", "12", "0723456789", "0734567890").json()
    outbox_id = sent["bulkOutboxEntry"]["outboxId"]
    check("BulkAnswer", sent)
    carrier.run()

    check("OneEntry", poor.get(f"{OUTBOX}/{outbox_id}").json())
    check("Error", bulk(poor, "0712345678").json())
    check("Error", poor.post(SEND, example("send")).json())
    loop = poor.post(SEND_BULK, PAGE_LOOP).json()
    check("Error", loop)
    check("OneEntry", poor.get(f"{OUTBOX}/{loop['outboxIds'][0]}").json())
    check("Error", poor.post(SEND_BULK, {"x": 1}).json())
    check("Error", poor.post(f"{OUTBOX}/{outbox_id}/retry", {}).json())
    check("EntriesPage", poor.get(OUTBOX).json())
    for path, name in (("costs/current", "Costs"), ("costs/history", "CostHistory")):
        check(name, poor.get(f"/api/sms-{path}").json())
    check("Balance", poor.get("/api/sms-wallet/balance").json())


@pytest.mark.django_db
def test_answers_to_deeds_are_as_the_document_says(carrier: FakeCarrier) -> None:
    organisation = make_organisation(5_000_000, sender="TUKUPAY")
    api = Api(make_key(organisation, ("send", "read", "manage")))
    check("BulkAnswer", api.post(SEND_BULK, PAGE_LOOP).json())
    check("OneEntry", api.post(SEND, example("send")).json())
    virtual_clock.advance(days=10)
    scheduled = api.post(SCHEDULE, example("schedule")).json()
    check("Scheduled", scheduled)
    cancelled = api.post("/api/sms/cancel-schedule", {"scheduleId": scheduled["scheduleId"]})
    check("Cancelled", cancelled.json())
    half = bulk(api, *kenyan_numbers(10)).json()["bulkOutboxEntry"]["outboxId"]
    wallet.top_up(organisation, 20_000_000, key="more")
    check("Retried", api.post(f"{OUTBOX}/{half}/retry", {}).json())


def test_an_answer_with_a_member_that_is_not_described_would_be_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("FieldError", {"field": "a", "code": "b", "message": "c", "more": 1})
