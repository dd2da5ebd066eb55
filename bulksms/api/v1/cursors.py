"""Cursors of keyset pages: opaque text that names the last message of a page and its campaign.

They are no secret and no permission: one of another campaign is refused, and a forged one could
only start at another place of a campaign that the caller may read anyway.
"""

from __future__ import annotations

import base64
import re
from uuid import UUID

_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")


def write(campaign_id: UUID, message_id: UUID) -> str:
    """The cursor of the page that starts after ``message_id``."""
    return base64.urlsafe_b64encode(campaign_id.bytes + message_id.bytes).decode().rstrip("=")


def read(text: str, campaign_id: UUID) -> UUID | None:
    """The message after which to start; None = this is no cursor of that campaign."""
    if not _TEXT.fullmatch(text):
        return None
    both = base64.urlsafe_b64decode(text + "=")
    message_id = UUID(bytes=both[16:])
    return message_id if write(campaign_id, message_id) == text else None
