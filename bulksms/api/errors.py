"""From exceptions to v1's error answers: RFC 9457's members, a stable ``code`` and ``errors``.

::

    {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "...", "code": "...",
     "errors": [{"field": "...", "code": "...", "detail": "..."}]}

They are sent as ``application/json``, or as ``application/problem+json`` to a client that names it
in ``Accept``: clients that look for "application/json" before they parse are common. Sentences
are ours, never the framework's, which the host may have translated. What is not in these tables is
a bug and stays an exception (a 500 of the host's).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException

from bulksms import exceptions
from bulksms.api.rendering import JSON, JsonResponse
from bulksms.exceptions import BulkSmsError, FieldError

PROBLEM_JSON = "application/problem+json"

#: When to try again, in seconds.
RETRY_AFTER_S: Mapping[type[Exception], int] = {
    exceptions.WalletBusy: 1,
    exceptions.RequestRunning: 1,
}


class InvalidBody(BulkSmsError):
    """The body is not a JSON object."""

    code = "invalid_json"


class LengthRequired(BulkSmsError):
    """Send a Content-Length: this server does not take chunked bodies."""

    code = "length_required"


class BodyTooLarge(BulkSmsError):
    """The body is too large."""

    code = "body_too_large"


class UnsupportedMediaType(BulkSmsError):
    """Send the body as JSON, with the header Content-Type: application/json."""

    code = "unsupported_media_type"


STATUSES: Mapping[type[BulkSmsError], int] = {
    exceptions.InvalidRequest: 400,
    exceptions.InvalidReport: 400,
    exceptions.AuthenticationFailed: 401,
    exceptions.PaymentRequired: 402,
    exceptions.InsufficientScope: 403,
    exceptions.NotFound: 404,
    exceptions.Conflict: 409,
    exceptions.RequestRunning: 409,
    exceptions.ReferenceReused: 409,
    exceptions.IdempotencyMismatch: 422,
    exceptions.RateLimited: 429,
    exceptions.SendingStopped: 503,
    exceptions.WalletBusy: 503,
    exceptions.TooManyReports: 503,
    InvalidBody: 400,
    LengthRequired: 411,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
}

#: What Django and DRF raise on bad requests: status -> (code, sentence).
FRAMEWORK: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request is malformed."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address has no such method; see the header Allow."),
}

#: The same on every Python, whose own phrases follow the RFCs.
TITLES: Mapping[int, str] = {
    **{status: HTTPStatus(status).phrase for status in STATUSES.values()},
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Content",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What an error answer says."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def render(problem: Problem, accept: str) -> HttpResponse:
    """v1's error answer; ``accept`` is the client's header."""
    response = JsonResponse(
        _body(problem),
        problem.status,
        content_type=PROBLEM_JSON if PROBLEM_JSON in accept else JSON,
        headers=problem.headers,
    )
    response["Vary"] = "Accept"
    return response


def problem_of(error: Exception) -> Problem | None:
    """What is told about ``error``; None = nothing, it is a bug."""
    if isinstance(error, BulkSmsError):
        return _ours(error)
    status = _framework_status(error)
    return None if status is None else Problem(status, *FRAMEWORK[status])


def _ours(error: BulkSmsError) -> Problem | None:
    status = next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), None)
    if status is None:
        return None
    errors = error.errors if isinstance(error, exceptions.InvalidRequest) else ()
    headers: dict[str, str] = {}
    if isinstance(error, exceptions.AuthenticationFailed):
        headers["WWW-Authenticate"] = 'Bearer realm="bulksms"'
    if type(error) in RETRY_AFTER_S:
        headers["Retry-After"] = str(RETRY_AFTER_S[type(error)])
    if isinstance(error, exceptions.RateLimited):
        headers["Retry-After"] = str(error.retry_after_s)
    return Problem(status, error.code, error.detail, errors, headers)


def _framework_status(error: Exception) -> int | None:
    """The status of what Django and DRF raise on bad requests, host code among it."""
    if isinstance(error, Http404):
        return 404
    if isinstance(error, PermissionDenied):
        return 403
    if isinstance(error, SuspiciousOperation | BadRequest):
        return 400
    if isinstance(error, APIException) and error.status_code in FRAMEWORK:
        return error.status_code
    return None


def _body(problem: Problem) -> dict[str, object]:
    return {
        "type": "about:blank",
        "title": TITLES[problem.status],
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": [
            {"field": fault.field, "code": fault.code, "detail": fault.detail}
            for fault in problem.errors
        ],
    }
