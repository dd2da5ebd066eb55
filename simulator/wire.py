"""The JSON wire of the carrier plane: bodies to engine values and back. No sockets, no state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from msgspec import DecodeError, to_builtins

from simulator.clocks import to_iso
from simulator.engine.messages import Callback, Pending, QueryRow, Record, Row, Submission
from simulator.wire_shapes import (
    ENCODER,
    MOST_MESSAGES,
    MOST_VALIDITY_S,
    SUBMIT,
    AcceptedRow,
    RefusedRow,
    Report,
)

MOST_REFS = 1_000
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class BadRequest(Exception):
    """A request that is answered with 4xx as a whole."""

    def __init__(self, detail: str, *, status: int = 400, code: str = "invalid_request") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def dump(value: object) -> bytes:
    """Write compact JSON; characters that UTF-8 cannot carry (half surrogates) are escaped."""
    try:
        return _JSON.encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def parse_submit(body: bytes) -> list[Submission]:
    """Read the body of `POST /v1/messages`. Raises BadRequest."""
    try:
        request = SUBMIT.decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_with_care(body)
    sender, text = request.sender or "", request.text or ""
    return [
        Submission(
            row.client_ref or "",
            row.to.removeprefix("+"),
            row.sender or sender,
            row.text or text,
            row.validity_s,
        )
        for row in request.messages
    ]


def _parse_with_care(body: bytes) -> list[Submission]:
    """Read what the fast way does not take: say what is wrong, or take it after all."""
    document = _load(body)
    rows = document.get("messages")
    if not isinstance(rows, list) or not rows:
        raise BadRequest("messages: expected a list of 1 to 1000 messages")
    if len(rows) > MOST_MESSAGES:
        detail = f"messages: {len(rows)} in one request, at most {MOST_MESSAGES}"
        raise BadRequest(detail, status=413, code="too_large")
    text = _optional(document, "text", "text")
    sender = _optional(document, "from", "from")
    return [_message(row, f"messages[{i}]", text, sender) for i, row in enumerate(rows)]


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object")
    return document


def _message(row: object, place: str, text: str, sender: str) -> Submission:
    if not isinstance(row, dict):
        raise BadRequest(f"{place}: expected an object")
    get = row.get
    to, validity = get("to"), get("validity_s")
    if not isinstance(to, str) or not to:
        raise BadRequest(f"{place}.to: expected a number as text")
    if validity is not None and not _is_validity(validity):
        raise BadRequest(f"{place}.validity_s: expected whole seconds, 0 to {MOST_VALIDITY_S}")
    client_ref, own_sender, own_text = get("client_ref", ""), get("from", ""), get("text", "")
    if not (type(client_ref) is type(own_sender) is type(own_text) is str):
        client_ref = _optional(row, "client_ref", f"{place}.client_ref")
        own_sender = _optional(row, "from", f"{place}.from")
        own_text = _optional(row, "text", f"{place}.text")
    return Submission(
        client_ref, to.removeprefix("+"), own_sender or sender, own_text or text, validity
    )


def _is_validity(raw: object) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= MOST_VALIDITY_S


def _optional(table: Mapping[str, Any], key: str, place: str) -> str:
    value = table.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{place}: expected a text")
    return value


def parse_query(query: str) -> list[str]:
    """Read the references of `GET /v1/messages?client_ref=a&client_ref=b`. Raises BadRequest."""
    pairs = parse_qsl(query, keep_blank_values=True)
    unknown = sorted({key for key, _ in pairs if key != "client_ref"})
    if unknown:
        raise BadRequest(f"unknown parameter {unknown[0]!r}, expected client_ref")
    refs = [value for _, value in pairs if value]
    if not 1 <= len(refs) <= MOST_REFS:
        raise BadRequest(f"client_ref: expected 1 to {MOST_REFS} references, got {len(refs)}")
    return refs


def render_rows(rows: Sequence[Row | Record]) -> bytes:
    answer = {"messages": [_row(row) for row in rows]}
    # The two libraries write small fractions in different ways.
    if any(isinstance(row.price, float) for row in rows):
        return dump(to_builtins(answer))
    return _dump_fast(answer)


def _row(row: Row | Record) -> AcceptedRow | RefusedRow:
    to, status = "+" + row.to, row.status
    if status != "accepted":
        return RefusedRow(row.client_ref, to, status, row.code, row.detail)
    return AcceptedRow(row.client_ref, to, status, row.id, row.parts, row.price)


def _dump_fast(value: object) -> bytes:
    """Write what `dump` would, quicker."""
    try:
        return ENCODER.encode(value)
    except UnicodeEncodeError:
        return dump(to_builtins(value))


def render_query(rows: list[QueryRow]) -> bytes:
    return dump({"messages": [_query_row(row) for row in rows]})


def _query_row(row: QueryRow) -> dict[str, object]:
    return {
        "client_ref": row.client_ref,
        "id": row.id or None,
        "to": "+" + row.to if row.to else None,
        "status": row.status,
        "code": row.code,
    }


def render_callback(callback: Callback, foreign_ids: Mapping[str, str]) -> bytes:
    """Write the body of a callback: one object, or several under `reports`.

    `foreign_ids` gives, per account name, an id of another account (for a rule that wants one).
    """
    if callback.kind == "inbound":
        return dump(_inbound(callback.items[0]))
    times = {due: to_iso(due) for due in {item.due for item in callback.items}}
    reports = [_report(item, times[item.due], foreign_ids) for item in callback.items]
    return _dump_fast(reports[0] if len(reports) == 1 else {"reports": reports})


def _report(item: Pending, at: str, foreign_ids: Mapping[str, str]) -> Report | dict[str, object]:
    record, spec = item.record, item.spec
    if spec.is_plain:
        return Report(
            item.report_id,
            record.report_as,
            record.client_ref,
            "+" + record.to,
            spec.state,
            spec.shown_code,
            at,
        )
    shown: dict[str, object] = {
        "report_id": item.report_id,
        "id": reported_id(item, foreign_ids),
        "client_ref": record.client_ref,
        "to": "+" + record.to,
        "status": spec.state,
        "code": spec.shown_code,
        "at": at,
    }
    if spec.id_kind != "own":
        del shown["client_ref"]
    if spec.part is not None:
        shown |= {"part": spec.part, "parts": record.parts}
    return {key: value for key, value in shown.items() if key not in spec.omit}


def reported_id(item: Pending, foreign_ids: Mapping[str, str]) -> str:
    """Return the id that a report names: its own, one that nobody got, or another account's."""
    kind = item.spec.id_kind
    if kind.startswith("account:"):
        return foreign_ids.get(kind.removeprefix("account:"), item.report_id)
    return item.report_id if kind == "unknown" else item.record.report_as


def _inbound(item: Pending) -> dict[str, object]:
    record = item.record
    return {
        "inbound_id": item.report_id,
        "from": "+" + (item.inbound_sender or record.to),
        "to": record.sender,
        "text": item.inbound_text,
        "at": to_iso(item.due),
    }
