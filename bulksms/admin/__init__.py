"""The admin, for people: one file per noun. Only a project with django.contrib.admin imports it.

Everything that changes something calls one service; nothing here decides anything itself.
"""

from __future__ import annotations

from bulksms.admin import (
    campaigns,
    carriers,
    decisions,
    keys,
    messages,
    organisations,
    rates,
    reports,
    senders,
    suppression,
    wallet,
)

__all__ = [
    "campaigns", "carriers", "decisions", "keys", "messages", "organisations", "rates", "reports",
    "senders", "suppression", "wallet",
]  # fmt: skip
