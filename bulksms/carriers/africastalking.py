"""Africa's Talking: bulk SMS in Kenya and some twenty other countries of Africa.

Submit: ``POST {url}/version1/messaging``, a UTF-8 form with ``username``, ``to`` (comma-joined
``+254...``), ``message``, ``from``, ``bulkSMSMode=1`` and ``enqueue``; the key is in the header
``apiKey``. The answer is a 201 with a row per recipient, by number, and refusals are among them::

    {"SMSMessageData": {"Message": "Sent to 1/2 Total Cost: KES 0.8000", "Recipients": [
        {"number": "+254711000001", "statusCode": 101, "status": "Success",
         "messageId": "ATXid_1", "cost": "KES 0.8000"},
        {"number": "+254711000002", "statusCode": 403, "status": "InvalidPhoneNumber",
         "messageId": "None", "cost": "0"}]}}

It takes no reference of ours, no validity, and has no query: what an answer does not tell stays
unknown until a report with the message's id, a person or the deadline ends it. Reports are forms,
one each, unsigned: the address is the secret. Sources: the public documentation of its SMS API
(docs.africastalking.com/sms: sending, delivery reports, notifications), and its Python SDK 2.0.3.

Options: ``username``, ``api_key``; ``sandbox`` (default: the username is "sandbox"), ``url``,
``enqueue`` (True: answer before the networks do), ``send_from`` (True; False: the shared sender
AFRICASTKNG), ``safe_429`` (False; True if you have their word that a 429 took nothing),
``keepalive_s``, ``connect_timeout_s``, ``max_batch``, ``parts_per_second``, ``window``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

from bulksms import states
from bulksms.carriers.base import (
    MAX_CODE,
    MAX_DETAIL,
    MAX_REF,
    ON_ITS_WAY,
    OutboundSms,
    Outcome,
    ParsedReport,
    Prepared,
    SubmitResult,
    cleaned,
    header_value,
    one_each,
)  # fmt: skip
from bulksms.carriers.transport import Answer, OverHttp, Transport, json_object
from bulksms.exceptions import InvalidReport

LIVE_URL = "https://api.africastalking.com"
SANDBOX_URL = "https://api.sandbox.africastalking.com"
SANDBOX = "sandbox"


class Status(NamedTuple):
    """What a recipient's ``statusCode`` means: their word, what became of the message, our word."""

    word: str
    outcome: Outcome
    code: str


#: None of them is a temporary refusal: no code promises that nothing was taken *and* that the same
#: message may be sent again. A code that is not here is unknown.
STATUSES: Mapping[int, Status] = {
    100: Status("Processed", "accepted", ""),
    101: Status("Sent", "accepted", ""),
    102: Status("Queued", "accepted", ""),
    # Our account is held until a person has talked to them: no message has an id or a price.
    401: Status("RiskHold", "stopped", "account_suspended"),
    # Refused for what the message is: its sender, its number, the number's wish or its network.
    402: Status("InvalidSenderId", "refused", "unknown_sender"),
    403: Status("InvalidPhoneNumber", "refused", "invalid_number"),
    404: Status("UnsupportedNumberType", "refused", "unsupported_number"),
    # Our credit with them: fails no message of ours, the next top-up lets them go.
    405: Status("InsufficientBalance", "stopped", "out_of_credit"),
    406: Status("UserInBlacklist", "refused", "blocked"),
    407: Status("CouldNotRoute", "refused", "unroutable"),
    # Nigeria, promotional senders, 20:00 to 08:00: the hour will pass, but their answer names none.
    409: Status("DoNotDisturbRejection", "refused", "do_not_disturb"),
    # They, or the way to the network, broke down: before or after handing it on, nobody says.
    500: Status("InternalServerError", "unknown", "internal_server_error"),
    501: Status("GatewayError", "unknown", "gateway_error"),
    # The network answered, and its answer was no.
    502: Status("RejectedByGateway", "refused", "rejected_by_gateway"),
}
#: An answer that lists nobody says why in ``Message``.
WORDS = {status.word.casefold(): status for status in STATUSES.values()}

#: The texts of plain answers that are proof; any other 4xx or 5xx may come from something between.
WRONG_KEY = "authentication is invalid"
MISSING_FIELD = "missing required form field"

REPORT_STATES = {
    "Success": states.DELIVERED,
    "Failed": states.UNDELIVERED,
    "Rejected": states.REJECTED,
    "Expired": states.EXPIRED,
    "Sent": ON_ITS_WAY,
    "Submitted": ON_ITS_WAY,
    "Buffered": ON_ITS_WAY,
    # The phone is off or away: not called final, and the network may try again. If it is the last
    # word after all, the deadline ends the message; a retry meanwhile could bring it twice.
    "AbsentSubscriber": ON_ITS_WAY,
}


class AfricasTalkingCarrier(OverHttp):
    """See the module."""

    max_batch: ClassVar[int] = 1000
    one_text_per_request: ClassVar[bool] = True
    matches_by: ClassVar[Literal["reference", "number"]] = "number"

    def __init__(
        self, name: str, options: Mapping[str, Any], *, transport: Transport | None = None
    ) -> None:
        # A lost answer leaves a whole request unknown, and there is no query: smaller requests.
        super().__init__(name, {"max_batch": 100, **options}, transport=transport)
        sandbox = options.get("sandbox", options.get("username") == SANDBOX)
        self._username = SANDBOX if sandbox else str(options.get("username") or "")
        key = header_value("api_key", options.get("api_key") or "")
        if not self._username or not key:
            raise ValueError(f"carrier {name}: OPTIONS needs username and api_key")
        base = str(options.get("url") or (SANDBOX_URL if sandbox else LIVE_URL))
        self._url = base.rstrip("/") + "/version1/messaging"
        self._headers = {
            "apiKey": key,
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
        }
        self._enqueue = bool(options.get("enqueue", True))
        self._send_from = bool(options.get("send_from", True))
        self._safe_429 = bool(options.get("safe_429", False))

    # Submit

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        if len({(sms.sender, sms.text) for sms in batch}) > 1:
            raise ValueError("one request has one text and one sender")
        references = {sms.to: sms.reference for sms in batch}
        if len(references) < len(batch):
            raise ValueError("a number is twice in one request: the answer goes by number")
        if not batch:
            return Prepared(None, ())
        form = {
            "username": self._username,
            "to": ",".join(f"+{number}" for number in references),
            "message": batch[0].text,
            "bulkSMSMode": "1",
            "enqueue": "1" if self._enqueue else "0",
        }
        if self._send_from and batch[0].sender:
            form["from"] = batch[0].sender
        try:
            body = urlencode(form).encode()
        except UnicodeEncodeError:
            why = dict.fromkeys(references.values(), "it has half of a surrogate pair")
            return Prepared(None, (), why)
        return Prepared((body, references), tuple(references.values()))

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        if not prepared.references:
            return {}
        body, references = prepared.request
        answer = self._ask("POST", self._url, self._headers, body, deadline)
        result = answer if isinstance(answer, SubmitResult) else self._read(answer)
        if isinstance(result, SubmitResult):
            return dict.fromkeys(prepared.references, result)
        return {ref: result[number] for number, ref in references.items() if number in result}

    def _read(self, answer: Answer) -> SubmitResult | dict[str, SubmitResult]:
        """Results by number; a single one speaks for every message of the request.

        The content type is not looked at: it may name a charset, or be wrong.
        """
        data = (json_object(answer.body) or {}).get("SMSMessageData")
        rows = data.get("Recipients") if isinstance(data, dict) else None
        if answer.status in (200, 201) and isinstance(data, dict) and isinstance(rows, list):
            return one_each(map(_result, rows)) if rows else _nobody(data.get("Message"))
        text = answer.body[:1000].decode("utf-8", "replace")
        if answer.status == 401 and WRONG_KEY in text:
            return SubmitResult("stopped", code="invalid_key")
        if answer.status == 400 and MISSING_FIELD in text:
            return SubmitResult("refused", code="invalid_request", detail=cleaned(text, MAX_DETAIL))
        wait = answer.retry_after_s
        if answer.status == 429 and self._safe_429:
            return SubmitResult("refused", code="throttled", temporary=True, retry_after_s=wait)
        code = "unreadable_answer" if answer.status in (200, 201) else f"http_{answer.status}"
        return SubmitResult("unknown", code=code, retry_after_s=wait)

    # Reports

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> Sequence[ParsedReport]:
        """A form with id, status, phoneNumber, networkCode, failureReason and retryCount."""
        try:
            text = body.decode("utf-8", "replace")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=50)
        except ValueError as error:
            raise InvalidReport("a report has not that many fields") from error
        form = dict(pairs)
        ref = _message_id(form.get("id"))
        word = cleaned(form.get("status"))
        if len(form) < len(pairs) or not ref or not word or "\0" in form["id"] + form["status"]:
            raise InvalidReport("a delivery report is a form with one id and one status")
        reason = cleaned(form.get("failureReason"))
        # The same news about a message is one report, however often it is posted.
        news = json.dumps([ref, word, reason])
        code = reason if word in REPORT_STATES else f"{word}:{reason}"[:MAX_CODE]
        return [
            ParsedReport(
                dedupe_key=hashlib.sha256(news.encode()).hexdigest(),
                carrier_ref=ref,
                reference="",
                state=REPORT_STATES.get(word, ON_ITS_WAY),
                code=code,
                raw=json.dumps(form, sort_keys=True),
            )
        ]


def _result(row: object) -> tuple[str, SubmitResult]:
    """A recipient's row as (number, result)."""
    fields = row if isinstance(row, dict) else {}
    ref, word = _message_id(fields.get("messageId")), cleaned(fields.get("status"))
    number = cleaned(fields.get("number")).removeprefix("+")
    code = cleaned(fields.get("statusCode"))
    known = STATUSES.get(int(code)) if code.isascii() and code.isdigit() else None
    detail = f"{code} {word}".strip()
    if known is None:
        return number, SubmitResult("unknown", ref, "unreadable_answer", detail)
    if known.outcome == "accepted":
        return number, SubmitResult("accepted", ref)
    if known.outcome != "unknown" and (ref or _is_charged(fields.get("cost"))):
        return number, SubmitResult("unknown", ref, "contradictory_answer", detail)
    return number, SubmitResult(known.outcome, ref, known.code, detail)


def _nobody(message: object) -> SubmitResult:
    """An answer that lists no recipients: where their sender is not good, for one."""
    word = cleaned(message, MAX_DETAIL)
    known = WORDS.get(word.casefold())
    if known is None or known.outcome == "accepted":
        return SubmitResult("unknown", code="unreadable_answer", detail=word)
    return SubmitResult(known.outcome, code=known.code, detail=word)


def _message_id(value: object) -> str:
    """What was not taken has the id "None"."""
    ref = cleaned(value, MAX_REF)
    return "" if ref == "None" else ref


def _is_charged(cost: object) -> bool:
    """Whether ``cost`` ("KES 0.8000", "0", 0.8, missing) is more than nothing."""
    return any(digit in str(cost) for digit in "123456789")
