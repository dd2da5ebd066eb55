"""Everything that bulksms raises on purpose: one tree, errors that carry facts.

Each error has a stable ``code`` (documented in the API reference) and a sentence for people. HTTP
statuses are the API's business (``api/errors.py``). A wrong configuration is Django's
``ImproperlyConfigured``, outside this tree, so that ``except BulkSmsError`` never hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of a request: the field as the caller wrote it, a stable code, a sentence."""

    field: str
    code: str
    detail: str


class BulkSmsError(Exception):
    """Base of all errors. ``code`` is stable, ``detail`` is for people."""

    code = "error"

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail or self.__doc__ or self.code)
        if code is not None:
            self.code = code

    @property
    def detail(self) -> str:
        return str(self.args[0])


class InvalidRequest(BulkSmsError):
    """The request is not acceptable; nothing was stored and no money moved."""

    code = "invalid_request"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(errors[0].detail, code=errors[0].code)
        self.errors = tuple(errors)


class NotFound(BulkSmsError):
    """There is no such thing, or it is not yours."""

    code = "not_found"


class AuthenticationFailed(BulkSmsError):
    """Missing, malformed, unknown, revoked or expired API key."""

    code = "authentication_failed"


class InsufficientScope(BulkSmsError):
    """This API key may not do that."""

    code = "insufficient_scope"


class SendingStopped(BulkSmsError):
    """Sending is stopped by the operator; nothing was stored. Try again later."""

    code = "sending_stopped"


class WalletBusy(BulkSmsError):
    """Another transaction holds the wallet for longer than we wait; nothing was done, try again."""

    code = "wallet_busy"


class PaymentRequired(BulkSmsError):
    """There is not enough money for all of it, or less was allowed; nothing was stored."""

    code = "insufficient_balance"


class Conflict(BulkSmsError):
    """It is in no state for that; nothing was changed. ``code`` and detail say which state."""

    code = "conflict"


class IdempotencyMismatch(BulkSmsError):
    """This idempotency key was used for another request."""

    code = "idempotency_key_reused"


class ReferenceReused(BulkSmsError):
    """This id of yours was used before, for another request."""

    code = "message_id_reused"


class RequestRunning(BulkSmsError):
    """The first request with this idempotency key is still being worked on. Try again."""

    code = "request_in_progress"


class RateLimited(BulkSmsError):
    """Too many requests. ``retry_after_s``: when one more is let through, in whole seconds.

    ``window`` is how the limit stands (``services.limits.Window``).
    """

    code = "rate_limited"

    def __init__(self, detail: str, *, window: object, retry_after_s: int) -> None:
        super().__init__(detail)
        self.window = window
        self.retry_after_s = retry_after_s


class LedgerConflict(BulkSmsError):
    """The same ledger key was used before for another movement."""

    code = "ledger_conflict"


class WalletRefusal(BulkSmsError):
    """The wallet's own rules do not allow this; nothing was done.

    ``code`` says which: below_limit, credit_in_use, wallet_frozen.
    """

    code = "wallet_refusal"


class AppendOnly(BulkSmsError):
    """This row is history: it is never changed or deleted, a correction is a new row."""

    code = "append_only"


class TooManyReports(BulkSmsError):
    """Too many reports of this carrier match no message; it may send them again later."""

    code = "too_many_reports"


class InvalidReport(BulkSmsError):
    """The carrier's callback could not be read or its signature is wrong."""

    code = "invalid_report"
