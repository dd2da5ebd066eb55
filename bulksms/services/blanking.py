"""What is kept of a person when the time is over, or when it is asked for: a keyed hash.

A blanked message has no text, and for its number ``input`` has an HMAC under SECRET_KEY: who knows
the number and the key can still say whether it was texted; nobody can read it back.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac

from bulksms import db
from bulksms.models import Campaign, Decision, Message, MessageLabels, Report
from bulksms.services import campaigns

MESSAGES = Message._meta.db_table
_SALT, _MARK = "bulksms.retention", "hmac:"


def fingerprint(number: str, secret: str | bytes | None = None) -> str:
    """What is kept of a number: HMAC-SHA256 under SECRET_KEY, "hmac:" and 52 letters and digits."""
    digest = salted_hmac(_SALT, number, secret=secret, algorithm="sha256").digest()
    return _MARK + base64.b32encode(digest).decode("ascii").rstrip("=").lower()


def messages_of(number: str) -> QuerySet[Message]:
    """All that was sent to ``number`` (E.164 digits), also what is blanked. Reads the whole table.

    Blanked under this SECRET_KEY or one of SECRET_KEY_FALLBACKS.
    """
    secrets: tuple[str | bytes | None, ...] = (None, *django_settings.SECRET_KEY_FALLBACKS)
    prints = [fingerprint(number, secret) for secret in secrets]
    return Message.objects.filter(Q(number=number) | Q(number="", input__in=prints))


def blank(rows: Sequence[tuple[UUID, str, str, str | None]]) -> int:
    """The (locked) rows lose their text; of their number a keyed hash stays, in ``input``."""
    columns = {"id": db.UUID_, "number": db.TEXT, "input": db.TEXT, "text": db.TEXT}
    new = [
        (id_, "", fingerprint(number or written), None if text is None else "")
        for id_, number, written, text in rows
        if number or not written.startswith(_MARK)
    ]
    return db.update(MESSAGES, columns, new)


@dataclass(frozen=True, slots=True)
class Erased:
    """``messages`` that no longer name the person; ``open``: they are not over yet, ask again."""

    messages: int
    open: int
    reports: int
    fingerprint: str


def erase(number: str, *, actor: str, why: str) -> Erased:
    """Blank every message to ``number`` (E.164 digits) now, whatever its age; noted as a decision.

    A suppression of the number stays: it is how one is kept from texting it. Reads whole tables.
    """
    with transaction.atomic():
        those = Message.objects.filter(number=number)
        campaigns.lock(sorted(set(those.values_list("campaign_id", flat=True))))
        rows = list(those.filter(done_at__isnull=False).select_for_update().order_by("id"))
        blank([(row.id, row.number, row.input, "") for row in rows])
        ids = [row.id for row in rows]
        alone = Campaign.objects.filter(id__in={row.campaign_id for row in rows})
        alone.filter(recipients_count=1).update(message="")
        MessageLabels.objects.filter(pk__in=ids).update(metadata={}, name="", user_label="")
        named = Report.objects.filter(Q(message_id__in=ids) | Q(raw__contains=number))
        reports = named.exclude(raw="").update(raw="")
        mark = fingerprint(number)
        Decision.objects.create(
            actor=actor[:80], action="erase", why=why[:255], scope={"number": mark},
            rows_count=len(rows),
        )  # fmt: skip
        return Erased(len(rows), those.filter(done_at=None).count(), reports, mark)
