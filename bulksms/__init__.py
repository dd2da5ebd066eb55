"""Bulk SMS for any Django project: an outbox, a prepaid wallet, carriers and delivery reports.

``from bulksms import send_sms, send_bulk`` is all that a host project needs to send,
``send_to`` texts the rows of a QuerySet;
``messages_done_since`` follows what became of it. The names are resolved on first use, so that
importing ``bulksms`` never needs Django's app registry.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulksms.services.audience import send_to as send_to
    from bulksms.services.feeds import messages_done_since as messages_done_since
    from bulksms.services.sending import send_bulk as send_bulk
    from bulksms.services.sending import send_sms as send_sms

__version__ = "0.1.0"
__all__ = ["__version__", "messages_done_since", "send_bulk", "send_sms", "send_to"]

_LAZY = {
    "messages_done_since": "bulksms.services.feeds",
    "send_bulk": "bulksms.services.sending",
    "send_sms": "bulksms.services.sending",
    "send_to": "bulksms.services.audience",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'bulksms' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
