"""All models, one file per noun."""

from __future__ import annotations

from bulksms.models.idempotency import IdempotencyKey
from bulksms.models.leases import Lease
from bulksms.models.organisations import ApiKey, Organisation, SenderId
from bulksms.models.outbox import Campaign, Message, MessageAttempt, Run, Submission
from bulksms.models.pacing import CarrierState
from bulksms.models.pricing import Rate
from bulksms.models.reports import Report
from bulksms.models.wallet import Hold, LedgerEntry, Wallet

__all__ = [
    "ApiKey",
    "Campaign",
    "CarrierState",
    "Hold",
    "IdempotencyKey",
    "Lease",
    "LedgerEntry",
    "Message",
    "MessageAttempt",
    "Organisation",
    "Rate",
    "Report",
    "Run",
    "SenderId",
    "Submission",
    "Wallet",
]
