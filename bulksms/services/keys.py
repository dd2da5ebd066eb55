"""API keys: made, shown once, stored as a hash, checked in constant time."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from bulksms import clock
from bulksms.exceptions import AuthenticationFailed
from bulksms.models import ApiKey, Organisation

SCOPES = ("send", "read", "manage", "priority")
DEFAULT_SCOPES = ("send", "read")

#: ``last_used_at`` is not written more often than this: reading must stay cheap.
USED_EVERY = dt.timedelta(minutes=1)

#: Compared against when there is no such key, so that every path makes the same comparison.
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


def create(
    organisation: Organisation, *, name: str = "", scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:  # fmt: skip
    """Make a key; returns its row and the key itself, which is not kept anywhere."""
    prefix = secrets.token_hex(5)
    text = f"bsk_{organisation.mode}_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(
        organisation=organisation, name=name, prefix=prefix, secret_sha256=_digest(text),
        scopes=list(scopes), expires_at=expires_at,
    )  # fmt: skip
    return row, text


def authenticate(text: str) -> ApiKey:
    """The key's row, its organisation loaded. Raises AuthenticationFailed, always the same way.

    One query and one comparison on every path, whatever is wrong with the key.
    """
    now = clock.now()
    pieces = text.split("_", 3)
    prefix = pieces[2][:16] if len(pieces) == 4 else ""
    clean = prefix if prefix.isascii() and prefix.isalnum() else ""
    row = ApiKey.objects.select_related("organisation").filter(prefix=clean).first()
    known = row.secret_sha256 if row is not None else _NOBODY
    right = hmac.compare_digest(known, _digest(text))
    if row is None or not right or not _is_valid(row, now):
        raise AuthenticationFailed
    if row.last_used_at is None or now - row.last_used_at > USED_EVERY:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


def _is_valid(row: ApiKey, now: dt.datetime) -> bool:
    expired = row.expires_at is not None and row.expires_at <= now
    return row.revoked_at is None and not expired and row.organisation.is_active


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
