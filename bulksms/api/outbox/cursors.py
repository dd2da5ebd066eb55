"""Cursors of keyset pages: opaque text that names the last thing of a page.

They are no secret and no permission: the service refuses one of another organisation's.
"""

from __future__ import annotations

import base64
import re
from uuid import UUID

_ENTRY = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_RATE = re.compile(r"r([0-9]{1,18})", re.ASCII)


def write(entry_id: UUID) -> str:
    """The cursor of the page that starts after this entry."""
    return base64.urlsafe_b64encode(entry_id.bytes).decode().rstrip("=")


def read(text: str) -> UUID | None:
    """The entry after which to start; None = this is no cursor."""
    if not _ENTRY.fullmatch(text):
        return None
    found = UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    return found if write(found) == text else None


def write_rate(rate_id: int) -> str:
    return f"r{rate_id}"


def read_rate(text: str) -> int | None:
    found = _RATE.fullmatch(text)
    return int(found[1]) if found else None
