"""The OpenAPI document: the one that is served is the one that the code makes, and it is true."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from bulksms.api.v1 import schema, shapes
from tests import openapi
from tests.api.helpers import SEND_BULK, Api
from tests.factories import kenyan_numbers, make_key, make_organisation

PATH = "/v1/openapi.json"


def served() -> dict[str, Any]:
    answer = Api(None).get(PATH)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_what_is_served_is_what_the_code_makes() -> None:
    """If this is red: ``make openapi``."""
    assert openapi.V1.read_text() == openapi.written(schema.build())


def test_it_is_served_without_a_key_in_any_host(host) -> None:
    document = served()

    assert document["openapi"] == "3.1.0"
    assert "/v1/sms/send-bulk/" in document["paths"]


def test_every_reference_leads_somewhere() -> None:
    document = served()

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            inner = set().union(*map(references, value.values())) if value else set()
            return inner | ({value["$ref"]} if "$ref" in value else set())
        return set().union(*map(references, value)) if isinstance(value, list) and value else set()

    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def check(name: str, value: object) -> None:
    """Raises jsonschema.ValidationError unless ``value`` is a ``name``."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": shapes.SCHEMAS}}
    jsonschema.Draft202012Validator(root).validate(value)


@pytest.mark.django_db
def test_the_examples_are_accepted_and_the_answers_are_as_the_document_says() -> None:
    api = Api(make_key(make_organisation(balance_micros=3_000_000)))
    operations = schema.OPERATIONS
    bulk = operations["send-bulk", "POST"]["requestBody"]["content"]["application/json"]["example"]
    one = operations["send", "POST"]["requestBody"]["content"]["application/json"]["example"]

    sent = api.post(SEND_BULK, bulk)
    partly = api.post(SEND_BULK, {**bulk, "recipients": [*kenyan_numbers(3), "12"]})
    campaign = f"/v1/sms/campaigns/{partly.json()['campaign_id']}/"

    assert (sent.status_code, partly.status_code) == (201, 207)
    check("BulkAnswer", sent.json())
    check("BulkAnswer", partly.json())
    check("Quote", api.post("/v1/sms/quote/", bulk).json())
    check("Problem", api.post("/v1/sms/send/", one).json())
    check("Campaign", api.get(campaign).json())
    check("MessagesPage", api.get(f"{campaign}messages/").json())
    check("CampaignChanged", api.post(f"{campaign}cancel/", {}).json())
    check("SingleAnswer", api.post("/v1/sms/send/", one).json())
    check("Retried", api.post(f"{campaign}retry/", {}).json())
    check("ListPage", api.get("/v1/bulk-sms/messages/").json())
    check("Senders", api.get("/v1/bulk-sms/sender-ids/").json())
    check("Balance", api.get("/v1/balance/").json())
    check("WhoAmI", api.get("/v1/").json())


def test_an_answer_with_a_member_that_is_not_described_would_be_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("FieldError", {"field": "a", "code": "b", "detail": "c", "more": 1})
