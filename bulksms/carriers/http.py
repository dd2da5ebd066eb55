"""JSON over HTTP: the generic carrier, and the protocol of the bundled simulator.

Submit: ``POST {url}/v1/messages`` with ``{"messages": [{client_ref, to, from, text, validity_s}]}``
and a bearer key; the answer has a row per message, accepted (with the carrier's id) or refused
(with a code). Reports are posted to us as one object or ``{"reports": [...]}``, signed in the
Standard Webhooks format when the option ``report_secret`` is set.

Options: ``url``, ``key``, ``report_secret``, ``keepalive_s``, ``max_batch``, ``parts_per_second``,
``window``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from standardwebhooks import Webhook

from bulksms import clock, states
from bulksms.carriers.base import (
    ON_ITS_WAY,
    Carrier,
    OutboundSms,
    ParsedReport,
    Prepared,
    SubmitResult,
)  # fmt: skip
from bulksms.carriers.transport import AiohttpTransport, Transport
from bulksms.exceptions import InvalidReport

#: What the carrier's words mean, for a whole request or for one message.
SAFE = frozenset({"throttled", "queue_full", "temporary_failure"})
STOPS = frozenset({"out_of_credit", "account_suspended", "invalid_key"})
#: The HTTP status that must come with a whole request's code for the code to count as proof.
REQUEST_CODES = {401: "invalid_key", 402: "out_of_credit", 429: "throttled", 503: "queue_full"}
REPORT_STATES = {
    "delivered": states.DELIVERED,
    "undelivered": states.UNDELIVERED,
    "expired": states.EXPIRED,
    "rejected": states.REJECTED,
    "accepted": ON_ITS_WAY,
    "enroute": ON_ITS_WAY,
    "unknown": ON_ITS_WAY,
}
#: Signed reports older or newer than this are refused (replay).
TOLERANCE_S = 300


class HttpCarrier(Carrier):
    """See the module."""

    max_batch: ClassVar[int] = 1000
    safe_refusals: ClassVar[frozenset[str]] = SAFE

    def __init__(
        self, name: str, options: Mapping[str, Any], *, transport: Transport | None = None
    ) -> None:
        super().__init__(name, {"max_batch": 500, **options})
        self._url = str(options["url"]).rstrip("/") + "/v1/messages"
        self._headers = {
            "authorization": f"Bearer {options.get('key', '')}",
            "content-type": "application/json",
        }
        secret = options.get("report_secret")
        self._webhook = Webhook(secret) if secret else None
        self.signs_reports = secret is not None
        self._transport = transport or AiohttpTransport(
            connect_timeout_s=float(options.get("connect_timeout_s", 5.0)),
            keepalive_s=float(options.get("keepalive_s", 2.0)),
        )

    # Submit

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        messages = [
            {
                "client_ref": sms.reference,
                "to": f"+{sms.to}",
                "from": sms.sender,
                "text": sms.text,
                "validity_s": sms.validity_s,
            }
            for sms in batch
        ]
        body = msgspec.json.encode({"messages": messages})
        return Prepared(body, tuple(sms.reference for sms in batch))

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        result = self._post(prepared.request, deadline)
        if isinstance(result, SubmitResult):
            return dict.fromkeys(prepared.references, result)
        asked = set(prepared.references)
        return {ref: found for ref, found in result if ref in asked}

    def _post(self, body: bytes, deadline: float) -> SubmitResult | list[tuple[str, SubmitResult]]:
        """One POST. A single result speaks for every message of the request."""
        timeout_s = deadline - time.monotonic()
        if timeout_s <= 0:
            return SubmitResult("refused", code="too_late_to_ask", temporary=True)
        try:
            status, headers, answer = self._transport(
                "POST", self._url, self._headers, body, timeout_s
            )
        except ConnectionRefusedError as error:  # no byte of the request was written
            return SubmitResult(
                "refused", code="no_connection", detail=str(error)[:200], temporary=True
            )
        except OSError as error:  # includes time-outs: the carrier may have it
            return SubmitResult("unknown", code="no_answer", detail=type(error).__name__)
        return self._read(status, headers, answer)

    def _read(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> SubmitResult | list[tuple[str, SubmitResult]]:
        document = _object(body)
        if status == 200 and isinstance(document.get("messages"), list):
            return [_result(row) for row in document["messages"] if isinstance(row, dict)]
        code = document.get("code")
        if isinstance(code, str) and REQUEST_CODES.get(status) == code:
            if code in STOPS:
                return SubmitResult("stopped", code=code)
            return SubmitResult(
                "refused", code=code, temporary=True, retry_after_s=_retry_after(headers)
            )
        if status in (400, 413) and isinstance(code, str):
            return SubmitResult("refused", code=code[:60])
        return SubmitResult("unknown", code=f"http_{status}")

    def close(self) -> None:
        if isinstance(self._transport, AiohttpTransport):
            self._transport.close()

    # Reports

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> Sequence[ParsedReport]:
        self._verify(headers, body)
        document = _object(body)
        rows = document.get("reports", [document])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidReport("expected a report object or {'reports': [...]}")
        return [_report(row) for row in rows]

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """The Standard Webhooks signature, against our clock (the library reads the system's)."""
        if self._webhook is None:
            return
        try:
            msg_id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
            sent_at = clock.from_timestamp(int(stamp))
            expected = self._webhook.sign(msg_id, sent_at, body.decode())
        except (KeyError, ValueError, OverflowError) as error:
            raise InvalidReport("signature headers are missing or malformed") from error
        given = headers.get("webhook-signature", "").split()
        if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
            raise InvalidReport("the signature does not match")
        if abs((clock.now() - sent_at).total_seconds()) > TOLERANCE_S:
            raise InvalidReport("the signature's timestamp is too old or too new")


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _result(row: Mapping[str, Any]) -> tuple[str, SubmitResult]:
    reference, code = str(row.get("client_ref", "")), str(row.get("code", ""))[:60]
    detail = str(row.get("detail", ""))[:200]
    match row.get("status"):
        case "accepted":
            return reference, SubmitResult("accepted", carrier_ref=str(row.get("id", ""))[:120])
        case "refused" if code in STOPS:
            return reference, SubmitResult("stopped", code=code, detail=detail)
        case "refused":
            return reference, SubmitResult(
                "refused", code=code or "refused", detail=detail, temporary=code in SAFE
            )
    return reference, SubmitResult("unknown", code="unreadable_answer")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return min(max(float(headers.get("retry-after", "")), 0.0), 3600.0)
    except ValueError:  # missing, a date, or nonsense: the outbox has its own pace
        return None


def _report(row: Mapping[str, Any]) -> ParsedReport:
    raw = json.dumps(row, sort_keys=True)
    word = str(row.get("status", ""))
    code = str(row.get("code", "") or "")
    known = word in REPORT_STATES
    key = row.get("report_id")
    return ParsedReport(
        dedupe_key=str(key)[:120] if key else hashlib.sha256(raw.encode()).hexdigest(),
        carrier_ref=str(row.get("id", ""))[:120],
        reference=str(row.get("client_ref", ""))[:60],
        state=REPORT_STATES.get(word, ON_ITS_WAY),
        code=(code if known else f"{word}:{code}")[:60],
        raw=raw,
    )
