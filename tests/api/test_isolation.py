"""A tenant never sees, counts, changes or guesses another's rows.

Generated from the URL conf: an endpoint that is new and not in the table below turns this red.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from bulksms import send_bulk
from bulksms.api.v1 import cursors
from bulksms.models import ApiKey, Campaign, Message, Organisation, RateWindow
from bulksms.services import organisations, wallet
from tests.api.helpers import Api, assert_problem
from tests.factories import kenyan_numbers, make_key, make_organisation

#: Who proves it for which part of ``bulksms.urls``.
PARTS = {
    "bulksms_v1": "tests.api.test_isolation",
    "bulksms_outbox": "tests.api.outbox.test_isolation",
    "bulksms_callbacks": "tests.api.test_callbacks",  # no tenant asks there, a carrier does
    "bulksms_health": "bulksms.api.health",  # no tenant, no rows of any
}

LATER = "2030-01-01T00:00:00Z"


@dataclass(frozen=True)
class Endpoint:
    """How to ask for what is another's. ``{campaign}``, ``{message}``, ``{cursor}``: theirs.

    ``cursor``: it takes one. ``lists``: it has rows of one's own to count.
    """

    method: str = "GET"
    body: Mapping[str, Any] | None = None
    names: bool = False
    cursor: bool = False
    scopes: tuple[str, ...] = field(default=("send", "read", "manage"))


ENDPOINTS: dict[str, list[Endpoint]] = {
    "send-bulk": [Endpoint("POST", {"recipients": ["254712345678"], "message": "Hi"})],
    "send": [Endpoint("POST", {"mobile": "254712345678", "message": "Hi"})],
    "quote": [Endpoint("POST", {"recipients": ["254712345678"], "message": "Hi"})],
    "campaign-status": [Endpoint("POST", {"campaign_id": "{campaign}"}, names=True)],
    "campaign-messages": [Endpoint("POST", {"campaign_id": "{campaign}"}, names=True, cursor=True)],
    "campaign": [
        Endpoint(names=True),
        Endpoint("PATCH", {"scheduled_at": LATER}, names=True),
    ],
    "messages": [Endpoint(names=True, cursor=True)],
    "cancel": [Endpoint("POST", {}, names=True)],
    "pause": [Endpoint("POST", {}, names=True)],
    "resume": [Endpoint("POST", {}, names=True)],
    "retry": [
        Endpoint("POST", {}, names=True),
        Endpoint("POST", {"message_ids": ["{message}"]}, names=True),
    ],
    "all-messages": [Endpoint(cursor=True)],
    "sender-ids": [Endpoint()],
    "balance": [Endpoint()],
    "whoami": [Endpoint()],
    "openapi": [Endpoint()],
}

CASES = [
    pytest.param(name, each, id=f"{each.method} {name} {number}")
    for name, endpoints in ENDPOINTS.items()
    for number, each in enumerate(endpoints)
]


def patterns(resolver: Any, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(namespace, pattern) of everything that is mounted."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, entry.namespace or namespace)
        else:
            yield namespace, entry


MOUNTED = [(space, entry) for space, entry in patterns(get_resolver("bulksms.urls"))]


@dataclass
class Tenants:
    ours: Organisation
    theirs: Organisation
    campaign: Campaign
    message: Message
    api: Api

    @classmethod
    def make(cls) -> Tenants:
        ours, theirs = make_organisation(), make_organisation(sender="THEIRS")
        options = {"message": "Theirs", "reference": "their-reference", "tags": ["theirs"]}
        sent = send_bulk(
            recipients=kenyan_numbers(3), organisation=theirs, idempotency_key="k1", **options
        )  # fmt: skip
        send_bulk(recipients=kenyan_numbers(2), message="Ours", organisation=ours)
        first = Message.objects.filter(campaign=sent.campaign).earliest("id")
        return cls(ours, theirs, sent.campaign, first, Api(make_key(ours)))

    def ask(self, name: str, each: Endpoint, **headers: str) -> HttpResponse:
        text = json.dumps(each.body or {}).replace("{campaign}", str(self.campaign.id))
        body = json.loads(text.replace("{message}", str(self.message.id)))
        return self.call(self.path(name), each.method, body, **headers)

    def call(self, path: str, method: str, body: Any, **headers: str) -> HttpResponse:
        sent = {"headers": self.api.headers | headers}
        if method == "GET":
            return self.api.client.get(path, body or None, **sent)
        content = json.dumps(body).encode()
        return self.api.client.generic(method, path, content, "application/json", **sent)

    def path(self, name: str) -> str:
        pattern = next(p for _, p in MOUNTED if p.name == name and _ == "bulksms_v1")
        given = {key: str(self.campaign.id) for key in pattern.pattern.converters}
        return reverse(f"bulksms:bulksms_v1:{name}", kwargs=given)

    def everything_of_theirs(self) -> dict[str, list[Any]]:
        """All rows of all tables that are the other tenant's."""
        found: dict[str, list[Any]] = {}
        for model in apps.get_app_config("bulksms").get_models():
            found[model.__name__] = list(self._theirs(model))
        return found

    def _theirs(self, model: type[Model]) -> Any:
        names = {each.name for each in model._meta.fields}
        rows = model._default_manager.order_by("pk").values()
        if model is Organisation:
            return rows.filter(pk=self.theirs.pk)
        if model is RateWindow:
            return rows.filter(key__endswith=f"/{self.theirs.pk}")
        if model is ApiKey:
            return rows.filter(organisation=self.theirs)
        if "organisation" in names:
            return rows.filter(organisation=self.theirs)
        if "campaign" in names:
            return rows.filter(campaign__organisation=self.theirs)
        if "wallet" in names:
            return rows.filter(wallet=wallet.of(self.theirs))
        return rows.none() if "message" in names else rows


def test_every_part_has_its_proof() -> None:
    spaces = {space for space, _ in MOUNTED}

    assert spaces <= set(PARTS), "say who proves isolation for the new part"
    for space in spaces:
        assert importlib.import_module(PARTS[space])


def test_every_endpoint_and_method_is_in_the_table() -> None:
    mounted = {
        (entry.name, method.upper())
        for space, entry in MOUNTED
        for method in ("get", "post", "put", "patch", "delete")
        if space == "bulksms_v1" and entry.name and hasattr(entry.callback.view_class, method)
    }

    assert mounted == {(name, each.method) for name, those in ENDPOINTS.items() for each in those}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "each"), CASES)
def test_what_is_theirs_is_not_there_and_stays_as_it_is(name, each) -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    answer = tenants.ask(name, each)

    assert tenants.everything_of_theirs() == before
    if each.names:
        problem = assert_problem(answer, 404, "not_found")
        unknown = assert_problem(_of_nobody(tenants, name, each), 404, "not_found")
        assert problem.pop("detail").replace(str(tenants.campaign.id), "") == unknown.pop(
            "detail"
        ).replace(NOBODY, "")
        assert problem == unknown
    else:
        assert answer.status_code in (200, 201)
    for theirs in ("THEIRS", "their-reference", tenants.theirs.slug, str(tenants.message.id)):
        assert theirs not in answer.content.decode()


NOBODY = "01890000-0000-7000-8000-000000000000"


def _of_nobody(tenants: Tenants, name: str, each: Endpoint) -> HttpResponse:
    """The same question about an id that nobody has."""
    body = json.loads(json.dumps(each.body or {}).replace("{campaign}", NOBODY)
                      .replace("{message}", NOBODY))  # fmt: skip
    path = tenants.path(name).replace(str(tenants.campaign.id), NOBODY)
    return tenants.call(path, each.method, body)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "each"), [case for case in CASES if case.values[1].cursor])
def test_their_cursor_is_none(name, each) -> None:
    """On a list of our own: a cursor of theirs is refused, it does not even say nothing."""
    tenants = Tenants.make()
    ours = Campaign.objects.get(organisation=tenants.ours)
    before = tenants.everything_of_theirs()
    path = tenants.path(name).replace(str(tenants.campaign.id), str(ours.id))
    lists = (tenants.campaign.id, cursors.of_organisation(tenants.theirs.pk))

    for list_id in lists:
        body = {"cursor": cursors.write(list_id, tenants.message.id)}
        if each.body is not None:
            body["campaign_id"] = str(ours.id)
        assert_problem(tenants.call(path, each.method, body), 400, "invalid_cursor")

    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "each"), [case for case in CASES if case.values[1].method != "GET"]
)
def test_their_idempotency_key_is_as_if_never_seen(name, each) -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    with_key = tenants.ask(name, each, **{"idempotency-key": "k1"})

    assert "Idempotent-Replayed" not in with_key
    assert with_key.status_code == (404 if each.names else 201 if "send" in name else 200)
    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
def test_their_reference_and_their_sender() -> None:
    tenants = Tenants.make()
    before = tenants.everything_of_theirs()

    taken = tenants.api.send("254712345678", reference="their-reference")
    sender = tenants.api.send("254712345678", sender_id="THEIRS")

    assert taken.status_code == 201
    assert_problem(sender, 400, "sender_not_allowed")
    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
def test_their_message_is_none_of_our_campaign() -> None:
    """Asked for by its id, with a campaign of our own."""
    tenants = Tenants.make()
    ours = Campaign.objects.get(organisation=tenants.ours)
    before = tenants.everything_of_theirs()
    path = f"/v1/sms/campaigns/{ours.id}/retry/"

    theirs = tenants.api.post(path, {"message_ids": [str(tenants.message.id)]})
    nobodys = tenants.api.post(path, {"message_ids": [NOBODY]})

    assert_problem(theirs, 400, "message_not_found")
    assert (
        theirs.json()["detail"].replace(str(tenants.message.id), NOBODY)
        == (nobodys.json()["detail"])
    )
    assert tenants.everything_of_theirs() == before


@pytest.mark.django_db
def test_counts_and_lists_are_of_ones_own() -> None:
    tenants = Tenants.make()
    organisations.register_sender(tenants.theirs, "SECOND")

    listed = tenants.api.get("/v1/bulk-sms/messages/").json()["results"]
    senders = tenants.api.get("/v1/bulk-sms/sender-ids/").json()["results"]
    by_tag = tenants.api.get("/v1/bulk-sms/messages/", {"tag": "theirs"}).json()["results"]
    by_reference = tenants.api.get("/v1/bulk-sms/messages/", {"reference": "their-reference"})

    assert len(listed) == 2
    assert [row["sender_id"] for row in senders] == ["TALKNTALK"]
    assert (by_tag, by_reference.json()["results"]) == ([], [])
