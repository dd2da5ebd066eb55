"""Organisations: the house, and making one with all that it needs to send."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from bulksms import conf
from bulksms.models import Organisation, Rate, SenderId
from bulksms.services import wallet


def house() -> Organisation:
    """The house organisation: who sends when none is named. Made by ``migrate``."""
    found = Organisation.objects.filter(is_house=True).first()
    return found or ensure_house()


def ensure_house(**_signal: Any) -> Organisation:
    """Make the house organisation; its credit is unlimited: cost is recorded, never refused."""
    wanted = conf.house()
    with transaction.atomic():
        organisation, _ = Organisation.objects.get_or_create(
            is_house=True,
            defaults={
                "name": wanted["name"],
                "slug": wanted["slug"],
                "default_region": wanted["region"],
                "time_zone": wanted["time_zone"],
            },
        )
        wallet.open_wallet(organisation, wanted["currency"], credit_limit_micros=None)
        if wanted["sender_id"]:
            register_sender(organisation, wanted["sender_id"], is_default=True)
    return organisation


def register_sender(organisation: Organisation, name: str, *, is_default: bool = False) -> SenderId:
    """Approve ``name`` as a sender of ``organisation``; the default one if none is yet."""
    known = SenderId.objects.filter(organisation=organisation, name__iexact=name, network="")
    sender = known.first() or SenderId(organisation=organisation, name=name)
    has_default = SenderId.objects.filter(organisation=organisation, is_default=True).exists()
    sender.is_default = sender.is_default or (is_default and not has_default)
    sender.status = SenderId.STATUS.approved
    sender.save()
    return sender


def set_rate(
    price_micros: int, *, currency: str, prefix: str = "", organisation: Organisation | None = None,
    at: Any,
) -> Rate:  # fmt: skip
    """Add a rate that is effective from ``at`` on; earlier ones stay as history."""
    return Rate.objects.create(
        organisation=organisation, prefix=prefix, currency=currency, price_micros=price_micros,
        effective_from=at,
    )  # fmt: skip
