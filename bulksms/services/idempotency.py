"""The same key is the same request, once: a repeat gets the first one's result."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, is_dataclass
from typing import Any

from bulksms import db
from bulksms.exceptions import IdempotencyMismatch
from bulksms.models import Campaign, IdempotencyKey, Organisation

#: How long a key is remembered.
LIFETIME = dt.timedelta(hours=24)

_COLUMNS = {
    "organisation_id": db.INT,
    "key": db.TEXT,
    "request_sha256": db.TEXT,
    "created_at": db.TIME,
}


def digest(request: object) -> str:
    """SHA-256 of what is asked for: plain values and dataclasses; order of keys is no matter."""
    document = json.dumps(request, sort_keys=True, default=_plain)
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def claim(
    organisation: Organisation, key: str, request_sha256: str, now: dt.datetime
) -> Campaign | None:
    """Take ``key`` for this request, or return the campaign of the first one that took it.

    First statement of the request's own transaction: another request with the same key waits here
    until that one has committed or rolled back. Raises IdempotencyMismatch for another request.
    """
    old = IdempotencyKey.objects.filter(
        organisation=organisation, key=key, created_at__lte=now - LIFETIME
    )
    old.delete()
    row = (organisation.pk, key, request_sha256, now)
    table = IdempotencyKey._meta.db_table
    if db.insert_new(table, _COLUMNS, [row], returning="id"):
        return None
    known = IdempotencyKey.objects.select_related("campaign").get(
        organisation=organisation, key=key
    )
    if known.request_sha256 != request_sha256:
        raise IdempotencyMismatch(
            "This idempotency key was used for another request. Use a new key for a new request."
        )
    return known.campaign


def finish(organisation: Organisation, key: str, campaign: Campaign) -> None:
    """Note what became of the request, in the same transaction."""
    IdempotencyKey.objects.filter(organisation=organisation, key=key).update(campaign=campaign)
