"""What v1 shows when it is asked: rows of messages, senders, the balance, whose key this is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulksms import clock, money, reasons
from bulksms.api.rendering import moment
from bulksms.api.v1 import cursors
from bulksms.models import ApiKey, Campaign, Organisation, SenderId, Wallet
from bulksms.services import routing
from bulksms.services.campaigns import Page
from bulksms.services.listing import Listed

Json = dict[str, Any]


def mobile(number: str, written: str) -> Json:
    """The number, and what the caller wrote where that differs; only the latter if it is none."""
    if not number:
        return {"mobile": written}
    return {"mobile": number, "input": written} if written else {"mobile": number}


def messages(of: Campaign, page: Page) -> Json:
    """One page of a campaign's messages; ``next_cursor`` is null on the last one."""
    return {
        "campaign_id": of.id,
        "results": [_message(row) for row in page.rows],
        "next_cursor": cursors.write(of.id, page.next_id) if page.next_id else None,
        "errors": [],
    }


def _message(row: Mapping[str, Any]) -> Json:
    return {
        "id": row["id"],
        **mobile(row["number"], row["input"]),
        "status": row["status"],
        "units": row["units"],
        "cost": money.amount(row["cost_micros"]),
        "error": row["error"] or None,
        "detail": row["error_detail"] or None,
        "class": _class(row),
        "sent_at": moment(row["sent_at"]),
        "delivered_at": moment(row["delivered_at"]),
        "attempts": row["attempt"],
    }


def _class(row: Mapping[str, Any]) -> str | None:
    """temporary, permanent or ours; None without an error."""
    name = row["carrier"]
    permanent = routing.carrier(name).permanent_codes if name in routing.names() else ()
    return reasons.error_class(row["status"], row["error"], permanent) or None


def listed(of: Organisation, page: Listed) -> Json:
    """One page of all messages, the newest first; ``next_cursor`` is null on the last one."""
    following = page.next_id and cursors.write(cursors.of_organisation(of.pk), page.next_id)
    return {
        "results": [
            {
                **_message(row),
                "campaign_id": row["campaign_id"],
                "sender_id": row["sender"] or row["campaign__sender"] or None,
                "reference": row["campaign__reference"] or None,
                "tags": row["campaign__tags"],
                "created_at": moment(row["campaign__created_at"]),
            }
            for row in page.rows
        ],
        "next_cursor": following,
        "errors": [],
    }


def senders(found: Sequence[SenderId]) -> Json:
    """The sender registry, by name. Only approved ones can be used."""
    return {
        "results": [
            {
                "sender_id": sender.name,
                "kind": sender.kind,
                "network": sender.network or None,
                "status": sender.status,
                "is_default": sender.is_default,
                "created_at": moment(sender.created_at),
            }
            for sender in found
        ],
        "errors": [],
    }


def whoami(key: ApiKey, currency: str) -> Json:
    """Whose key this is, and what it may do."""
    owner = key.organisation
    return {
        "organisation": owner.slug,
        "name": owner.name,
        "mode": owner.mode,
        "currency": currency,
        "key": {
            "prefix": key.prefix,
            "name": key.name,
            "scopes": list(key.scopes),
            "expires_at": moment(key.expires_at),
        },
        "errors": [],
    }


def balance(wallet: Wallet, held_micros: int) -> Json:
    """What can be spent, and what is held for messages on their way."""
    return {
        "organisation": wallet.organisation.slug,
        "balance": money.amount(wallet.available_micros),
        "held": money.amount(held_micros),
        "currency": wallet.currency,
        "retrieved_at": moment(clock.now()),
        "errors": [],
    }
