"""The same key is the same request, once: a repeat gets the first one's result."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from django.db import transaction

from bulksms import clock, db
from bulksms.exceptions import IdempotencyMismatch, RequestRunning
from bulksms.models import Campaign, IdempotencyKey, Organisation

#: How long a key is remembered.
LIFETIME = dt.timedelta(hours=24)

_TABLE = IdempotencyKey._meta.db_table
_COLUMNS = {
    "organisation_id": db.INT,
    "key": db.TEXT,
    "request_sha256": db.TEXT,
    "status": db.INT,
    "answer": db.TEXT,
    "created_at": db.TIME,
}


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key, and the digest of the request that it stands for."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a request that is done once: HTTP status and body, word for word."""

    status: int
    body: str = field(repr=False)
    replayed: bool = False


def digest(request: object) -> str:
    """SHA-256 of what is asked for: plain values and dataclasses; order of keys is no matter."""
    document = json.dumps(request, sort_keys=True, default=_plain)
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def run(organisation: Organisation, once: Once, work: Callable[[], Kept]) -> Kept:
    """Do ``work`` in one transaction with its key, or give the answer of the first time.

    For requests that make no campaign. What ``work`` raises rolls both back: only success is kept.
    Raises RequestRunning, IdempotencyMismatch.
    """
    with transaction.atomic():
        known = _claim(organisation, once, clock.now())
        if known is not None:
            return _kept(known)
        kept = work()
        _rows(organisation, once).update(status=kept.status, answer=kept.body)
    return kept


def run_repeatable(organisation: Organisation, once: Once, work: Callable[[], Kept]) -> Kept:
    """As :func:`run`, for ``work`` in transactions of its own that may be done twice without harm.

    Two at the same moment both do it, and both get the answer of the one that is stored first.
    """
    now = clock.now()
    _forget(organisation, once, now)
    known = _known(organisation, once)
    if known is not None:
        return _kept(known)
    kept = work()
    row = (organisation.pk, once.key, once.digest, kept.status, kept.body, now)
    if db.insert_new(_TABLE, _COLUMNS, [row], returning="id"):
        return kept
    first = _known(organisation, once)
    return _kept(first) if first else kept


def claim(organisation: Organisation, once: Once, now: dt.datetime) -> Campaign | None:
    """Take the key for this request, or return the campaign that the first one made.

    First statement of the request's own transaction. Raises RequestRunning while another request
    with the same key is at work, IdempotencyMismatch when that was another request.
    """
    known = _claim(organisation, once, now)
    return None if known is None else known.campaign


def finish(organisation: Organisation, once: Once, campaign: Campaign) -> None:
    """Note what became of the request, in the same transaction."""
    _rows(organisation, once).update(campaign=campaign)


def forget(organisation: Organisation, once: Once) -> None:
    """The request came to nothing, which is not kept; in its own transaction."""
    _rows(organisation, once).delete()


def prune(now: dt.datetime) -> int:
    """Delete the keys that nobody has to remember any more; returns how many."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lte=now - LIFETIME).delete()
    return deleted


def _rows(organisation: Organisation, once: Once) -> Any:
    return IdempotencyKey.objects.filter(organisation=organisation, key=once.key)


def _claim(organisation: Organisation, once: Once, now: dt.datetime) -> IdempotencyKey | None:
    """None = the key is ours now; else the row of the first request, which is this one too."""
    if not db.try_lock(f"bulksms idempotency {organisation.pk} {once.key}"):
        raise RequestRunning
    _forget(organisation, once, now)
    row = (organisation.pk, once.key, once.digest, None, "", now)
    if db.insert_new(_TABLE, _COLUMNS, [row], returning="id"):
        return None
    return _known(organisation, once)


def _forget(organisation: Organisation, once: Once, now: dt.datetime) -> None:
    _rows(organisation, once).filter(created_at__lte=now - LIFETIME).delete()


def _known(organisation: Organisation, once: Once) -> IdempotencyKey | None:
    """The row of this request. Raises IdempotencyMismatch when it is another one's."""
    known: IdempotencyKey | None = _rows(organisation, once).select_related("campaign").first()
    if known is not None and known.request_sha256 != once.digest:
        raise IdempotencyMismatch(
            "This idempotency key was used for another request. Use a new key for a new request."
        )
    return known


def _kept(known: IdempotencyKey) -> Kept:
    return Kept(known.status or 200, known.answer, replayed=True)
