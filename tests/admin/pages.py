"""What the admin's tests share: addresses, what a page says, messages in a known state."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from bulksms import send_bulk
from bulksms.carriers.base import ParsedReport
from bulksms.models import Campaign, Message, Organisation
from bulksms.services import reports
from bulksms.testing import drain
from tests.factories import kenyan_numbers
from tests.harness import fake_carrier

UNANSWERED = [{"match": {}, "lose_request": {"how": "reset"}}]


def url(name: str, *args: object) -> str:
    """``url("wallet_change", 3)``: the address of a page of ours."""
    return reverse(f"admin:bulksms_{name}", args=args)


def said(response: Any) -> str:
    """A page as a person reads it: its text, white space folded."""
    body = html.unescape(response.content.decode())
    body = re.sub(r"<(script|style).*?</\1>", " ", body, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def hidden(response: Any, name: str) -> str:
    """The value of a page's hidden input."""
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, f"no hidden input {name}"
    return html.unescape(found[1])


def post(client: Client, address: str, **data: object) -> Any:
    """Send a form and follow to the page after it."""
    return client.post(address, data, follow=True)


def send(organisation: Organisation, how_many: int = 3, **options: Any) -> Campaign:
    options.setdefault("message", "Your bill is ready.")
    numbers = kenyan_numbers(how_many)
    return send_bulk(recipients=numbers, organisation=organisation, **options).campaign


def end_as(campaign: Campaign, status: str, code: str = "027") -> None:
    """Every message of the campaign is sent, and reported like this."""
    drain()
    rows = Message.objects.filter(campaign=campaign).values_list("id", "attempt")
    references = [f"{id_}" if attempt == 1 else f"{id_}-{attempt}" for id_, attempt in rows]
    reports.store(
        "main",
        [ParsedReport(f"{uuid4()}", "", name, status, code, "{}") for name in references],
    )
    reports.apply_once()


def make_unknown(organisation: Organisation, how_many: int = 1) -> Campaign:
    """A campaign whose request got no answer."""
    with fake_carrier(rules=UNANSWERED):
        campaign = send(organisation, how_many)
        drain()
    return campaign
