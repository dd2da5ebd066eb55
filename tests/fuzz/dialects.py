"""What the fuzzer has to know of each dialect: its document, and where known values go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

API = Path(__file__).resolve().parents[2] / "bulksms" / "api"


@dataclass(frozen=True)
class Dialect:
    """``send`` and ``body`` are one SMS.

    ``places``: where a value of a dictionary may stand (``words`` in ``__main__``).
    """

    namespace: str
    file: Path
    send: str
    body: Mapping[str, Any]
    places: Mapping[str, str]

    @property
    def statuses(self) -> set[str]:
        """All that its document names."""
        document = json.loads(self.file.read_text())
        return {
            status
            for methods in document["paths"].values()
            for operation in methods.values()
            for status in operation["responses"]
        }


V1 = Dialect(
    namespace="bulksms_v1",
    file=API / "v1" / "openapi.json",
    send="/v1/sms/send/",
    body={"mobile": "254712345678", "message": "Hi", "max_cost": 0},
    places={
        "path.campaign_id": "campaigns", "body.campaign_id": "campaigns",
        "body.sender_id": "senders", "query.sender_id": "senders", "body.mobile": "mobiles",
        "header.Idempotency-Key": "keys",
    },
)  # fmt: skip

OUTBOX = Dialect(
    namespace="bulksms_outbox",
    file=API / "outbox" / "openapi.json",
    send="/api/sms/send",
    body={"recipientPhoneNumber": "254712345678", "message": "Hi"},
    places={
        "path.outbox_id": "campaigns", "body.scheduleId": "campaigns",
        "body.senderId": "senders", "body.recipientPhoneNumber": "mobiles",
        "body.recipient": "mobiles", "body.messageId": "keys", "header.Idempotency-Key": "keys",
        "header.Prefer": "waits",
    },
)  # fmt: skip

DIALECTS = {"v1": V1, "outbox": OUTBOX}
