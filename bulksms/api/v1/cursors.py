"""Cursors of keyset pages: opaque text that names a list and the last message of a page of it.

They are no secret and no permission: one of another list is refused, and a forged one could only
start at another place of a list that the caller may read anyway.
"""

from __future__ import annotations

import base64
import hashlib
import re
from uuid import UUID

_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")


def of_organisation(pk: int) -> UUID:
    """What stands for the list of all messages of an organisation; a campaign's list is its id."""
    return UUID(bytes=hashlib.sha256(f"bulksms organisation {pk}".encode()).digest()[:16])


def write(list_id: UUID, message_id: UUID) -> str:
    """The cursor of the page that starts after ``message_id``."""
    return base64.urlsafe_b64encode(list_id.bytes + message_id.bytes).decode().rstrip("=")


def read(text: str, list_id: UUID) -> UUID | None:
    """The message after which to start; None = this is no cursor of that list."""
    if not _TEXT.fullmatch(text):
        return None
    both = base64.urlsafe_b64decode(text + "=")
    message_id = UUID(bytes=both[16:])
    return message_id if write(list_id, message_id) == text else None
