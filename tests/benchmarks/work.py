"""What is asked for again and again: one text, 10,000 recipients, and how a request goes in."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

RECIPIENTS = 10_000
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."


def post(client: Client, key: str, body: object) -> dict[str, Any]:
    """POST to send-bulk, in this process."""
    answer = client.post(
        "/v1/sms/send-bulk/", json.dumps(body), content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.content[:500]
    return dict(json.loads(answer.content))
