"""Organisations: the house, and making one with all that it needs to send."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from phonenumbers import SUPPORTED_REGIONS

from bulksms import conf
from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.models import Organisation, Rate, SenderId
from bulksms.models.organisations import TEST
from bulksms.services import wallet
from bulksms.sms import senders as sender_rules

_SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}")
_CURRENCY = re.compile(r"[A-Z]{3}")


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


def create(
    *, name: str, slug: str, currency: str = "KES", region: str = "KE",
    time_zone: str = "Africa/Nairobi", allowed_regions: Sequence[str] = (),
) -> Organisation:  # fmt: skip
    """A live organisation with an empty wallet. Raises InvalidRequest with every fault found."""
    faults = _faults(name, slug, currency, time_zone, [region, *allowed_regions])
    if Organisation.objects.filter(slug=slug).exists():
        faults.append(FieldError("slug", "slug_taken", f"There is an organisation {slug!r}."))
    if faults:
        raise InvalidRequest(faults)
    with transaction.atomic():
        organisation = Organisation.objects.create(
            name=name, slug=slug, default_region=region, time_zone=time_zone,
            allowed_regions=" ".join(allowed_regions),
        )  # fmt: skip
        wallet.open_wallet(organisation, currency, credit_limit_micros=0)
    return organisation


def test_twin(live: Organisation) -> Organisation:
    """The organisation's test twin, made on first use: its senders and rates, credit without limit.

    What is sent with a key of the twin goes to ``BULKSMS["TEST_CARRIER"]`` and nowhere else.
    """
    found = Organisation.objects.filter(live_twin=live).first()
    if found is not None:
        return found
    with transaction.atomic():
        twin = Organisation.objects.create(
            name=f"{live.name} (test)"[:120], slug=f"{live.slug[:55]}-test", mode=TEST,
            live_twin=live, default_region=live.default_region, time_zone=live.time_zone,
            allowed_regions=live.allowed_regions,
        )  # fmt: skip
        wallet.open_wallet(twin, wallet.of(live).currency, credit_limit_micros=None)
        SenderId.objects.bulk_create(_copies(SenderId.objects.filter(organisation=live), twin))
        Rate.objects.bulk_create(_copies(Rate.objects.filter(organisation=live), twin))
    return twin


def _copies(rows: Iterable[Any], organisation: Organisation) -> list[Any]:
    copies = list(rows)
    for copy in copies:
        copy.pk, copy.organisation = None, organisation
    return copies


def _faults(
    name: str, slug: str, currency: str, time_zone: str, regions: Sequence[str]
) -> list[FieldError]:
    faults = []
    if not name.strip() or len(name) > 120:
        faults.append(FieldError("name", "invalid_name", "A name has 1 to 120 characters."))
    if not _SLUG.fullmatch(slug):
        detail = "A slug has 1 to 60 letters, digits, hyphens and underscores."
        faults.append(FieldError("slug", "invalid_slug", detail))
    if not _CURRENCY.fullmatch(currency):
        detail = "A currency is three capital letters, such as KES."
        faults.append(FieldError("currency", "invalid_currency", detail))
    if time_zone not in available_timezones():
        detail = f"There is no time zone {time_zone!r}; one is Africa/Nairobi."
        faults.append(FieldError("time_zone", "invalid_time_zone", detail))
    for region in sorted(set(regions) - SUPPORTED_REGIONS):
        detail = f"There is no region {region!r}; a region is two capital letters, such as KE."
        faults.append(FieldError("region", "invalid_region", detail))
    return faults


def register_sender(
    organisation: Organisation, name: str, *, is_default: bool = False,
    status: str = SenderId.STATUS.approved, kind: str | None = None, network: str = "",
) -> SenderId:  # fmt: skip
    """Note how ``name`` stands as a sender of ``organisation``; approved unless said otherwise.

    With ``is_default`` it becomes the default one if none is yet; :func:`set_default_sender` moves
    that. Only approved ones can be used. Raises InvalidRequest.
    """
    if fault := sender_rules.check(name):
        raise InvalidRequest([FieldError("sender_id", "invalid_sender_id", fault)])
    known = SenderId.objects.filter(organisation=organisation, name__iexact=name, network=network)
    sender = known.first() or SenderId(organisation=organisation, name=name, network=network)
    has_default = SenderId.objects.filter(organisation=organisation, is_default=True).exists()
    sender.is_default = sender.is_default or (is_default and not has_default)
    sender.status = status
    sender.kind = kind or sender.kind
    sender.save()
    return sender


def set_default_sender(sender: SenderId) -> None:
    """The sender of requests that name none."""
    with transaction.atomic():
        others = SenderId.objects.filter(organisation=sender.organisation_id, is_default=True)
        others.exclude(pk=sender.pk).update(is_default=False)
        SenderId.objects.filter(pk=sender.pk).update(is_default=True)


def senders(organisation: Organisation) -> list[SenderId]:
    """All sender IDs, whatever their status, by name."""
    return list(SenderId.objects.filter(organisation=organisation).order_by("name", "network"))


def set_rate(
    price_micros: int, *, currency: str, prefix: str = "", organisation: Organisation | None = None,
    at: Any,
) -> Rate:  # fmt: skip
    """Add a rate that is effective from ``at`` on; earlier ones stay as history."""
    return Rate.objects.create(
        organisation=organisation, prefix=prefix, currency=currency, price_micros=price_micros,
        effective_from=at,
    )  # fmt: skip
