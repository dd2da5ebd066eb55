"""Stop switches: one organisation, one carrier, or everything. Asked at intake and at every claim.

A stopped message waits: it is not lost, and it expires like any other.
"""

from __future__ import annotations

from django.db.models import Q

from bulksms import clock
from bulksms.exceptions import SendingStopped
from bulksms.models import CarrierState, Decision, Organisation

#: The row that stands for all carriers.
EVERYTHING = "*"


def stop(carrier: str = EVERYTHING, *, actor: str, why: str) -> None:
    """Ask ``carrier`` (or any) for nothing more until :func:`resume`."""
    CarrierState.objects.update_or_create(
        carrier=carrier, defaults={"paused_at": clock.now(), "pause_reason": why[:255]}
    )
    _note(actor, "stop", why, {"carrier": carrier})


def resume(carrier: str = EVERYTHING, *, actor: str, why: str = "") -> None:
    """Let ``carrier`` (or everything) go on; the tick finds the waiting work."""
    CarrierState.objects.filter(carrier=carrier).update(paused_at=None, pause_reason="")
    _note(actor, "resume", why, {"carrier": carrier})


def set_active(organisation: Organisation, *, active: bool, actor: str, why: str = "") -> None:
    """Stop or resume one organisation: its keys, its requests and its queued messages."""
    Organisation.objects.filter(pk=organisation.pk).update(is_active=active)
    action = "activate organisation" if active else "stop organisation"
    _note(actor, action, why, {"organisation": organisation.pk})


def is_stopped(carrier: str) -> bool:
    """Whether ``carrier`` may not be asked now."""
    return CarrierState.objects.filter(
        Q(carrier=carrier) | Q(carrier=EVERYTHING), paused_at__isnull=False
    ).exists()


def check_intake(organisation: Organisation) -> None:
    """Raises SendingStopped while everything, or this organisation, is stopped."""
    if not Organisation.objects.filter(pk=organisation.pk, is_active=True).exists():
        raise SendingStopped("This organisation is stopped.", code="organisation_stopped")
    if CarrierState.objects.filter(carrier=EVERYTHING, paused_at__isnull=False).exists():
        raise SendingStopped


def _note(actor: str, action: str, why: str, scope: dict[str, object]) -> None:
    Decision.objects.create(actor=actor[:80], action=action, why=why[:255], scope=scope)
