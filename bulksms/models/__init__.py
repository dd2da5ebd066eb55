"""All models, one file per noun."""

from __future__ import annotations

from bulksms.models.decisions import Decision
from bulksms.models.idempotency import IdempotencyKey
from bulksms.models.labels import MessageLabels
from bulksms.models.leases import Lease
from bulksms.models.limits import RateWindow
from bulksms.models.organisations import ApiKey, Organisation, SenderId
from bulksms.models.outbox import Campaign, Message, MessageAttempt, Run, Submission
from bulksms.models.pacing import CarrierState, Share
from bulksms.models.pricing import Rate
from bulksms.models.refunds import Refund
from bulksms.models.reports import Report
from bulksms.models.suppression import Suppression
from bulksms.models.wallet import Hold, LedgerEntry, Wallet

__all__ = [
    "ApiKey",
    "Campaign",
    "CarrierState",
    "Decision",
    "Hold",
    "IdempotencyKey",
    "Lease",
    "LedgerEntry",
    "Message",
    "MessageAttempt",
    "MessageLabels",
    "Organisation",
    "Rate",
    "RateWindow",
    "Refund",
    "Report",
    "Run",
    "SenderId",
    "Share",
    "Submission",
    "Suppression",
    "Wallet",
]
