"""Spoils an answer as a `body` rule says: what a client reads that is not what it hopes for."""

from __future__ import annotations

from simulator.plane import JSON_TYPE, WireAnswer

_HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def spoil(answer: WireAnswer) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body that go on the wire (`dribble` changes only the pace)."""
    lose = answer.fault.lose if answer.fault is not None else None
    if lose is not None and lose.how == "status":
        return lose.status, {"Content-Type": "text/html"}, _HTML
    if answer.body is None:
        return answer.status, answer.headers, answer.content
    return _spoiled(answer, answer.body.how, answer.body.size_bytes)


def _spoiled(answer: WireAnswer, how: str, size_bytes: int) -> tuple[int, dict[str, str], bytes]:
    status, headers, content = answer.status, answer.headers, answer.content
    match how:
        case "invalid_json":
            return status, headers, content[:-2] + b",]"
        case "truncated":
            return status, headers, content[: len(content) // 2]
        case "html":
            return 200, {"Content-Type": "text/html"}, _HTML
        case "empty":
            return 200, {"Content-Type": JSON_TYPE}, b""
        case "wrong_type":
            return status, {**headers, "Content-Type": "text/plain"}, content
        case "huge":
            return status, headers, content + b" " * max(0, size_bytes - len(content))
        case "redirect":
            return 307, {**headers, "Location": "/v1/messages"}, b""
    return status, headers, content
