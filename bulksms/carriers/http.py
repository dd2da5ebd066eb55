"""JSON over HTTP: the generic carrier, and the protocol of the bundled simulator.

Submit: ``POST {url}/v1/messages`` with ``{"messages": [{client_ref, to, from, text, validity_s}]}``
and a bearer key; the answer has a row per message, accepted (with the carrier's id) or refused
(with a code). Query: ``GET {url}/v1/messages?client_ref=a&client_ref=b`` answers ``{"messages":
[{client_ref, id, status, code}]}``, a row for each reference that was accepted, all in one answer.
Reports are posted to us as one object or ``{"reports": [...]}``, signed in the Standard Webhooks
format when the option ``report_secret`` is set.

A carrier that writes its ids in one way in the answer and in another in the report (hexadecimal and
decimal, padded with zeros, in capitals) is configured with ``answer_id_base`` and
``report_id_base``: 16 or 10. Ids are then kept as plain decimal numbers.

Options: ``url``, ``key``, ``report_secret``, ``keepalive_s``, ``connect_timeout_s``, ``max_batch``,
``parts_per_second``, ``window``, ``answer_id_base``, ``report_id_base``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import msgspec
from standardwebhooks import Webhook

from bulksms import clock, states
from bulksms.carriers.base import (
    MAX_CODE,
    MAX_DETAIL,
    MAX_REF,
    ON_ITS_WAY,
    OutboundSms,
    ParsedReport,
    Prepared,
    QueryResult,
    SubmitResult,
    cleaned,
    header_value,
    one_each,
)  # fmt: skip
from bulksms.carriers.transport import Answer, OverHttp, Transport, json_object
from bulksms.exceptions import InvalidReport

#: What the carrier's words mean, for a whole request or for one message.
SAFE = frozenset({"throttled", "queue_full", "temporary_failure"})
STOPS = frozenset({"out_of_credit", "account_suspended", "invalid_key"})
#: The HTTP statuses that must come with a whole request's code for the code to count as proof.
REQUEST_CODES = frozenset({
    (401, "invalid_key"), (402, "out_of_credit"), (403, "account_suspended"),
    (429, "throttled"), (503, "queue_full"), (503, "temporary_failure"),
})  # fmt: skip
#: Statuses that say, with any code, that the request was not understood: nothing was taken.
NOT_UNDERSTOOD = frozenset({400, 413})
REPORT_STATES = {
    "delivered": states.DELIVERED,
    "undelivered": states.UNDELIVERED,
    "expired": states.EXPIRED,
    "rejected": states.REJECTED,
    "accepted": ON_ITS_WAY,
    "enroute": ON_ITS_WAY,
    "unknown": ON_ITS_WAY,
}
#: The protocol takes no longer validity, and not the whole request for the sake of one message.
MAX_VALIDITY_S = 30 * 24 * 3600
#: References in one query: they travel in the address, and 8 KB of it pass everywhere.
MAX_QUERY = 100
#: Of a report, the words that are kept apart; and how JSON writes a NUL.
KEPT = ("report_id", "id", "client_ref", "status", "code")
NUL = r"\u0000"
#: Signed reports older or newer than this are refused (replay).
TOLERANCE_S = 300


class HttpCarrier(OverHttp):
    """See the module."""

    max_batch: ClassVar[int] = 1000
    has_query: ClassVar[bool] = True
    safe_refusals: ClassVar[frozenset[str]] = SAFE

    def __init__(
        self, name: str, options: Mapping[str, Any], *, transport: Transport | None = None
    ) -> None:
        super().__init__(name, {"max_batch": 500, **options}, transport=transport)
        self._url = str(options["url"]).rstrip("/") + "/v1/messages"
        self._headers = {
            "authorization": f"Bearer {header_value('key', options.get('key', ''))}",
            "content-type": "application/json",
        }
        secret = options.get("report_secret")
        self._webhook = Webhook(secret) if secret else None
        self.signs_reports = secret is not None
        self._answer_base = _base(options, "answer_id_base")
        self._report_base = _base(options, "report_id_base")

    # Submit

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        rows: dict[str, bytes] = {}
        unencodable: dict[str, str] = {}
        for sms in batch:
            try:
                rows[sms.reference] = msgspec.json.encode({
                    "client_ref": sms.reference,
                    "to": f"+{sms.to}",
                    "from": sms.sender,
                    "text": sms.text,
                    "validity_s": min(sms.validity_s, MAX_VALIDITY_S),
                })  # fmt: skip
            except UnicodeEncodeError:
                unencodable[sms.reference] = "it has half of a surrogate pair"
        body = b'{"messages":[' + b",".join(rows.values()) + b"]}"
        return Prepared(body, tuple(rows), unencodable)

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        if not prepared.references:
            return {}
        body: bytes = prepared.request
        answer = self._ask("POST", self._url, self._headers, body, deadline)
        result = answer if isinstance(answer, SubmitResult) else _read(answer)
        if isinstance(result, SubmitResult):
            return dict.fromkeys(prepared.references, result)
        return {
            ref: _plain(result[ref], self._answer_base)
            for ref in prepared.references
            if ref in result
        }

    # Query

    def query(self, references: Sequence[str], deadline: float) -> Mapping[str, QueryResult] | None:
        found: dict[str, QueryResult] = {}
        for start in range(0, len(references), MAX_QUERY):
            known = self._query(references[start : start + MAX_QUERY], deadline)
            if known is None:
                return None
            found |= known
        return found

    def _query(self, references: Sequence[str], deadline: float) -> dict[str, QueryResult] | None:
        url = f"{self._url}?{urlencode([('client_ref', ref) for ref in references])}"
        answer = self._ask("GET", url, self._headers, b"", deadline)
        if isinstance(answer, SubmitResult) or answer.status != 200:
            return None
        rows = (json_object(answer.body) or {}).get("messages")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return None
        known = {
            cleaned(row.get("client_ref")): _plain(_known(row), self._answer_base) for row in rows
        }
        # An answer about other messages, or twice about one, is no answer to this question.
        if len(known) != len(rows) or not known.keys() <= set(references):
            return None
        return known

    # Reports

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> Sequence[ParsedReport]:
        self._verify(headers, body)
        document = json_object(body)
        if document is None:
            raise InvalidReport("the body is not a JSON object")
        rows = document.get("reports", [document])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidReport("expected a report object or {'reports': [...]}")
        parsed = [_plain(_report(row), self._report_base) for row in rows]
        if parsed and not any(report.carrier_ref or report.reference for report in parsed):
            raise InvalidReport("a report must name its message: id or client_ref")
        return parsed

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """The Standard Webhooks signature, against our clock (the library reads the system's)."""
        if self._webhook is None:
            return
        try:
            sent_at = clock.from_timestamp(int(headers["webhook-timestamp"]))
            expected = self._webhook.sign(headers["webhook-id"], sent_at, body.decode()).encode()
            given = [one.encode() for one in headers.get("webhook-signature", "").split()]
        except (KeyError, ValueError, OverflowError, OSError) as error:
            raise InvalidReport("signature headers are missing or malformed") from error
        if not any(hmac.compare_digest(expected, one) for one in given):
            raise InvalidReport("the signature does not match")
        if abs((clock.now() - sent_at).total_seconds()) > TOLERANCE_S:
            raise InvalidReport("the signature's timestamp is too old or too new")


_HasRef = TypeVar("_HasRef", SubmitResult, QueryResult, ParsedReport)


def _base(options: Mapping[str, Any], name: str) -> int | None:
    base = options.get(name)
    if base not in (None, 10, 16):
        raise ValueError(f"{name} must be 10 or 16, or left out")
    return base


def _plain(found: _HasRef, base: int | None) -> _HasRef:
    """The same with its carrier id as a plain decimal number, if ids are numbers of ``base``."""
    if base is None or not found.carrier_ref:
        return found
    try:
        number = int(found.carrier_ref, base)
    except ValueError:
        return found
    return msgspec.structs.replace(found, carrier_ref=str(number))


def _read(answer: Answer) -> SubmitResult | dict[str, SubmitResult]:
    """A single result speaks for every message of the request."""
    document = json_object(answer.body) or {}
    rows = document.get("messages")
    if answer.status == 200 and isinstance(rows, list):
        return one_each(_result(row) for row in rows if isinstance(row, dict))
    code = cleaned(document.get("code"))
    if (answer.status, code) in REQUEST_CODES:
        if code in STOPS:
            return SubmitResult("stopped", code=code)
        wait = answer.retry_after_s
        return SubmitResult("refused", code=code, temporary=True, retry_after_s=wait)
    if answer.status in NOT_UNDERSTOOD and code:
        return SubmitResult("refused", code=code, of_request=True)
    code = "unreadable_answer" if answer.status == 200 else f"http_{answer.status}"
    return SubmitResult("unknown", code=code, retry_after_s=answer.retry_after_s)


def _result(row: Mapping[str, Any]) -> tuple[str, SubmitResult]:
    reference, ref = cleaned(row.get("client_ref")), cleaned(row.get("id"), MAX_REF)
    code, detail = cleaned(row.get("code")), cleaned(row.get("detail"), MAX_DETAIL)
    match row.get("status"):
        case "accepted":
            return reference, SubmitResult("accepted", carrier_ref=ref)
        case "refused" if ref:  # what has an id was taken by somebody
            return reference, SubmitResult("unknown", carrier_ref=ref, code="contradictory_answer")
        case "refused" if code in STOPS:
            return reference, SubmitResult("stopped", code=code, detail=detail)
        case "refused":
            return reference, SubmitResult(
                "refused", code=code or "refused", detail=detail, temporary=code in SAFE
            )
    return reference, SubmitResult("unknown", carrier_ref=ref, code="unreadable_answer")


def _known(row: Mapping[str, Any]) -> QueryResult:
    word, code = cleaned(row.get("status")), cleaned(row.get("code"))
    if word == "refused":
        return QueryResult("refused", code=code or "refused")
    return QueryResult(
        state=REPORT_STATES.get(word, ON_ITS_WAY),
        carrier_ref=cleaned(row.get("id"), MAX_REF),
        code=code if word in REPORT_STATES else f"{word}:{code}"[:MAX_CODE],
    )


def _report(row: Mapping[str, Any]) -> ParsedReport:
    """Raises InvalidReport for a NUL, which no column holds."""
    raw = msgspec.json.encode(row, order="sorted").decode()
    if NUL in raw and any("\0" in value for value in map(row.get, KEPT) if isinstance(value, str)):
        raise InvalidReport("a report has a NUL character")
    word, code = cleaned(row.get("status")), cleaned(row.get("code"))
    state = REPORT_STATES.get(word, ON_ITS_WAY)
    key = cleaned(row.get("report_id"), MAX_REF + 1)
    return ParsedReport(
        dedupe_key=key if 0 < len(key) <= MAX_REF else hashlib.sha256(raw.encode()).hexdigest(),
        carrier_ref=cleaned(row.get("id"), MAX_REF),
        reference=cleaned(row.get("client_ref")),
        state=state,
        code=(code if word in REPORT_STATES else f"{word}:{code}")[:MAX_CODE],
        raw=raw,
        part=_part(row),
    )


def _part(row: Mapping[str, Any]) -> str:
    """ "2/3" for a report of the second of three parts; "" for one of the whole message."""
    if "part" not in row:
        return ""
    part, parts = cleaned(row["part"], 4), cleaned(row.get("parts"), 4)
    return f"{part}/{parts}" if part and parts not in ("", "1") else ""
