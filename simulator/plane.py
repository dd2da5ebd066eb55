"""The carrier plane without sockets: method, path, headers and body in; an answer out.

The HTTP server and the in-process transport both stand on `handle`, so that a test without a
socket runs the very code that answers one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from simulator import africastalking, wire
from simulator.accounts import Account, House
from simulator.engine import words
from simulator.engine.knobs import Body
from simulator.engine.messages import Callback, Decision, Fault, Refusal

JSON_TYPE = "application/json"
MOST_BODY_BYTES = 8_000_000
TOO_LARGE = f"the body is larger than {MOST_BODY_BYTES} bytes"
#: A client may say how long it waits; an answer drawn to be later is lost to it.
TIMEOUT_HEADER = "x-timeout-s"
_LONGEST_TIMEOUT_S = 86_400


@dataclass(slots=True)
class WireAnswer:
    """What goes back on the connection, and what goes wrong on the way.

    Order of doing: post `early`, wait `latency_us`, apply `fault` (then nothing is written unless
    it is of kind `status`), else write the answer, spoiled as `body` says.
    """

    status: int
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})
    account: Account | None = None
    fault: Fault | None = None
    body: Body | None = None
    latency_us: int = 0
    close_after_us: int | None = None
    early: Sequence[Callback] = ()


def refuse(status: int, code: str, detail: str, retry_after: str | None = None) -> WireAnswer:
    """Return the answer that refuses a whole request."""
    answer = WireAnswer(status, wire.dump({"code": code, "detail": detail}))
    if retry_after is not None:
        answer.headers["Retry-After"] = retry_after
    return answer


def handle(
    house: House,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    client_timeout_us: int | None = None,
) -> WireAnswer:
    """Answer one request of the carrier plane. `headers` have lower-case names."""
    parts = urlsplit(target)
    handler = _ROUTES.get((method, parts.path))
    if handler is None:
        return _no_route(method, parts.path)
    is_form = parts.path == africastalking.PATH
    account = house.by_key(headers.get("apikey", "") if is_form else _bearer(headers))
    if account is None:
        return _wrong_key(is_form)
    timeout_us = client_timeout_us if client_timeout_us is not None else _declared(headers)
    try:
        answer = handler(account, parts.query, body, timeout_us)
    except wire.BadRequest as error:
        answer = refuse(error.status, error.code, error.detail)
    answer.account = account
    return answer


def _wrong_key(is_form: bool) -> WireAnswer:
    if is_form:
        return WireAnswer(401, africastalking.BAD_KEY.encode(), {"Content-Type": "text/plain"})
    return refuse(401, "invalid_key", words.DETAIL_OF_CODE["invalid_key"])


def _declared(headers: Mapping[str, str]) -> int | None:
    """Return the time-out that a client declares in `X-Timeout-S`, in microseconds."""
    declared = headers.get(TIMEOUT_HEADER)
    if declared is None:
        return None
    try:
        seconds = float(declared)
    except ValueError:
        return None
    return round(seconds * 1_000_000) if 0 < seconds < _LONGEST_TIMEOUT_S else None


def _no_route(method: str, path: str) -> WireAnswer:
    allowed = sorted(m for m, p in _ROUTES if p == path)
    if not allowed:
        return refuse(404, "not_found", f"no {path} here")
    answer = refuse(405, "method_not_allowed", f"{path} takes {', '.join(allowed)}")
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _submit(
    account: Account, _query: str, body: bytes, client_timeout_us: int | None
) -> WireAnswer:
    messages = wire.parse_submit(body)
    decision = account.submit(messages, "json", client_timeout_us)
    return answer_of(decision, wire.render_rows)


def answer_of(decision: Decision, render: Callable[..., bytes], status: int = 200) -> WireAnswer:
    """Turn a decision into the answer of its shape."""
    if decision.refusal is not None:
        answer = _refused(decision.refusal)
    else:
        answer = WireAnswer(status, render(decision.answered))
    answer.fault = decision.fault
    answer.body = decision.body
    answer.latency_us = decision.latency_us
    answer.early = decision.early
    if decision.close_idle is not None:
        answer.close_after_us = decision.close_idle.after_us
    return answer


def _refused(refusal: Refusal) -> WireAnswer:
    return refuse(refusal.status, refusal.code, refusal.detail, refusal.retry_after)


def _submit_form(
    account: Account, _query: str, body: bytes, client_timeout_us: int | None
) -> WireAnswer:
    messages = africastalking.parse_submit(body)
    decision = account.submit(messages, "africastalking", client_timeout_us)
    return answer_of(decision, africastalking.render_rows, status=201)


def _query(account: Account, query: str, _body: bytes, _timeout: int | None) -> WireAnswer:
    decision = account.query(wire.parse_query(query))
    if decision.refusal is not None:
        return _refused(decision.refusal)
    return WireAnswer(200, wire.render_query(decision.rows))


_ROUTES: dict[tuple[str, str], Callable[[Account, str, bytes, int | None], WireAnswer]] = {
    ("POST", "/v1/messages"): _submit,
    ("GET", "/v1/messages"): _query,
    ("POST", africastalking.PATH): _submit_form,
}
#: The paths of the carrier plane.
CARRIER_PATHS = tuple(sorted({path for _, path in _ROUTES}))
