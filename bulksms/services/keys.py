"""API keys: made, shown once, stored as a hash, checked in constant time, replaced and revoked."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from bulksms import clock
from bulksms.exceptions import AuthenticationFailed, NotFound
from bulksms.models import ApiKey, Organisation

#: send: SMS and retries. read: everything that changes nothing. manage: cancel, pause, resume and
#: reschedule what was sent. priority: ``priority: high``.
SCOPES = ("send", "read", "manage", "priority")
DEFAULT_SCOPES = ("send", "read", "manage")

#: ``last_used_at`` is not written more often than this: reading must stay cheap.
USED_EVERY = dt.timedelta(minutes=1)

#: How long a key that was replaced still works.
OVERLAP = dt.timedelta(hours=24)

#: Compared against when there is no such key, so that every path makes the same comparison.
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


def create(
    organisation: Organisation, *, name: str = "", scopes: Sequence[str] = DEFAULT_SCOPES,
    expires_at: dt.datetime | None = None, replaces: ApiKey | None = None,
) -> tuple[ApiKey, str]:  # fmt: skip
    """Make a key; returns its row and the key itself, which is not kept anywhere."""
    prefix = secrets.token_hex(5)
    text = f"bsk_{organisation.mode}_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(
        organisation=organisation, name=name, prefix=prefix, secret_sha256=_digest(text),
        scopes=list(scopes), expires_at=expires_at, replaces=replaces,
    )  # fmt: skip
    return row, text


def find(organisation: Organisation, prefix: str) -> ApiKey:
    """The organisation's key with this prefix. Raises NotFound."""
    found = ApiKey.objects.filter(organisation=organisation, prefix=prefix).first()
    if found is None:
        raise NotFound(f"{organisation.slug} has no key with the prefix {prefix[:16]!r}.")
    return found


def rotate(old: ApiKey, *, overlap: dt.timedelta = OVERLAP) -> tuple[ApiKey, str]:
    """A new key in the place of ``old``, which works for ``overlap`` longer (never longer than it
    would have). Name, scopes and lifetime are the old one's. Raises NotFound for a dead key.
    """
    with transaction.atomic():
        row = ApiKey.objects.select_for_update().select_related("organisation").get(pk=old.pk)
        now = clock.now()
        if not is_valid(row, now):
            raise NotFound(f"The key {row.prefix} is revoked or expired. Make a new one.")
        lifetime = None if row.expires_at is None else row.expires_at - row.created_at
        ends = now + overlap if row.expires_at is None else min(row.expires_at, now + overlap)
        ApiKey.objects.filter(pk=row.pk).update(expires_at=ends)
        return create(
            row.organisation, name=row.name, scopes=row.scopes, replaces=row,
            expires_at=None if lifetime is None else now + lifetime,
        )  # fmt: skip


def revoke(key: ApiKey) -> None:
    """``key`` works no more, from now on; a key that was revoked before keeps its date."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())


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
    if row is None or not right or not is_valid(row, now):
        raise AuthenticationFailed
    _note_use(row, now)
    return row


def _note_use(row: ApiKey, now: dt.datetime) -> None:
    """Once a minute, also when many requests come at the same moment."""
    due = now - USED_EVERY
    if row.last_used_at is None or row.last_used_at <= due:
        unused = Q(last_used_at=None) | Q(last_used_at__lte=due)
        ApiKey.objects.filter(unused, pk=row.pk).update(last_used_at=now)


def is_valid(row: ApiKey, now: dt.datetime) -> bool:
    """Whether this key works at ``now``: not revoked, not expired, its organisation not stopped."""
    expired = row.expires_at is not None and row.expires_at <= now
    return row.revoked_at is None and not expired and row.organisation.is_active


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
