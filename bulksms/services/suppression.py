"""Who must not be texted: asked at intake, and again when a message is about to leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from bulksms import clock, db
from bulksms.models import Organisation, Suppression

SUPPRESSED = "suppressed"
DETAIL = "This number is on the suppression list."

_TABLE = Suppression._meta.db_table


def suppress(
    numbers: Sequence[str], *, reason: str = "", organisation: Organisation | None = None
) -> int:
    """Send nothing more to ``numbers`` (E.164 digits); returns how many were not on the list.

    For one organisation, or for all of them.
    """
    columns = {
        "organisation_id": db.INT, "number": db.TEXT, "reason": db.TEXT, "created_at": db.TIME,
    }  # fmt: skip
    owner = None if organisation is None else organisation.pk
    rows = [(owner, number, reason[:255], clock.now()) for number in numbers]
    with transaction.atomic():
        return len(db.insert_new(_TABLE, columns, rows, returning="id"))


def lift(numbers: Sequence[str], *, organisation: Organisation | None = None) -> int:
    """Take ``numbers`` off the list again; returns how many were on it."""
    those = Suppression.objects.filter(organisation=organisation, number__in=list(numbers))
    return those.delete()[0]


def among(pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Of (organisation id, number) pairs, those that are suppressed; one statement."""
    wanted = set(pairs)
    numbers = sorted({number for _, number in wanted})
    if not numbers:
        return set()
    those, params = db.matching("number", db.TEXT, numbers)
    listed = set(
        db.fetch(
            f"SELECT organisation_id, number FROM {_TABLE} WHERE {those}", params, (db.INT, db.TEXT)
        )
    )
    return {
        (owner, number)
        for owner, number in wanted
        if (owner, number) in listed or (None, number) in listed
    }
