"""The Africa's Talking shape of the carrier plane: `POST /version1/messaging`.

Form body with comma-joined numbers and one text; results per recipient, by number; refusals inside
a 201; unsigned form callbacks. Source: the public documentation of its SMS API (sending, delivery
reports, incoming messages). Its API has no client reference, so every message is a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

from simulator import wire
from simulator.clocks import to_iso
from simulator.engine import words
from simulator.engine.messages import Callback, Pending, Record, Row, Submission
from simulator.wire_shapes import MOST_MESSAGES

PATH = "/version1/messaging"
BAD_KEY = "The supplied authentication is invalid"
DEFAULT_SENDER = "AFRICASTKNG"
_SENT = (101, "Success")
_UNKNOWN_CODE = (500, "InternalServerError")
_NETWORK_CODE = "63902"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

#: Our refusal codes as (statusCode, status).
STATUS_OF_REFUSAL: dict[str, tuple[int, str]] = {
    "throttled": (501, "GatewayError"),
    "queue_full": (501, "GatewayError"),
    "temporary_failure": (500, "InternalServerError"),
    "invalid_number": (403, "InvalidPhoneNumber"),
    "unknown_sender": (402, "InvalidSenderId"),
    "sender_not_registered": (402, "InvalidSenderId"),
    "blocked": (406, "UserInBlacklist"),
    "content_rejected": (502, "RejectedByGateway"),
    "unroutable": (407, "CouldNotRoute"),
    "out_of_credit": (405, "InsufficientBalance"),
    "account_suspended": (401, "RiskHold"),
}
#: Our states as (status, failureReason) of a delivery report.
STATUS_OF_STATE: dict[str, tuple[str, str | None]] = {
    words.DELIVERED: ("Success", None),
    words.UNDELIVERED: ("Failed", "UserIsInactive"),
    words.EXPIRED: ("Failed", "DeliveryFailure"),
    words.REJECTED: ("Rejected", "UserInBlackList"),
    words.ENROUTE: ("Submitted", None),
    words.UNKNOWN: ("Failed", "UnknownError"),
}


def parse_submit(body: bytes) -> list[Submission]:
    """Read the form. Raises BadRequest."""
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError as error:
        raise wire.BadRequest(f"the body is not UTF-8: {error}") from error
    for name in ("username", "to", "message"):
        if not form.get(name):
            raise wire.BadRequest(f"Request is missing required form field '{name}'")
    numbers = [number.strip() for number in form["to"].split(",") if number.strip()]
    if not 1 <= len(numbers) <= MOST_MESSAGES:
        raise wire.BadRequest(f"to: expected 1 to {MOST_MESSAGES} numbers")
    sender = form.get("from") or DEFAULT_SENDER
    return [Submission("", n.removeprefix("+"), sender, form["message"]) for n in numbers]


def render_rows(rows: Sequence[Row | Record]) -> bytes:
    """Write the 201 body. Where the sender is no good, its API lists nobody at all."""
    if rows and all(row.code in ("unknown_sender", "sender_not_registered") for row in rows):
        return wire.dump({"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}})
    accepted = [row for row in rows if row.status == words.ACCEPTED]
    total = sum(_amount(row.price) for row in accepted)
    message = f"Sent to {len(accepted)}/{len(rows)} Total Cost: KES {total:.4f}"
    recipients = [_recipient(row) for row in rows]
    return wire.dump({"SMSMessageData": {"Message": message, "Recipients": recipients}})


def _recipient(row: Row | Record) -> dict[str, object]:
    if row.status == words.ACCEPTED:
        code, status = _SENT
        message_id, cost = row.id, row.price
    else:
        code, status = STATUS_OF_REFUSAL.get(row.code, _UNKNOWN_CODE)
        message_id, cost = "None", "0"
    return {
        "statusCode": code,
        "number": "+" + row.to,
        "status": status,
        "cost": cost,
        "messageId": message_id,
    }


def _amount(price: str | float | None) -> float:
    """Return the amount of `KES 0.8000` for the total; what is no amount counts nothing."""
    last = str(price).replace(",", ".").split(" ")[-1]
    return float(last) if last.replace(".", "", 1).isdigit() else 0.0


def render_callback(
    callback: Callback, foreign_ids: Mapping[str, str]
) -> tuple[dict[str, str], bytes]:
    """Write a delivery report or an incoming message as a form."""
    item = callback.items[0]
    fields = _inbound(item) if callback.kind == "inbound" else _report(item, foreign_ids)
    return dict(_FORM), urlencode(fields).encode()


def _report(item: Pending, foreign_ids: Mapping[str, str]) -> dict[str, str]:
    status, reason = STATUS_OF_STATE.get(item.spec.state, (item.spec.state, item.spec.shown_code))
    fields = {
        "id": wire.reported_id(item, foreign_ids),
        "status": status,
        "phoneNumber": "+" + item.record.to,
        "networkCode": _NETWORK_CODE,
        "retryCount": "0",
    }
    return fields if reason is None else {**fields, "failureReason": reason}


def _inbound(item: Pending) -> dict[str, str]:
    return {
        "id": item.report_id,
        "linkId": item.report_id,
        "from": "+" + (item.inbound_sender or item.record.to),
        "to": item.record.sender,
        "text": item.inbound_text or "",
        "date": to_iso(item.due),
        "networkCode": _NETWORK_CODE,
    }
