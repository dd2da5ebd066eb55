"""Fitting: which claimed rows go into one request, and what the carrier is asked for them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from bulksms.carriers.base import Carrier, OutboundSms
from bulksms.models import Campaign

#: The error of a queued row whose whole request was refused, with the size of its next one: it goes
#: on in smaller and smaller requests, apart from fresh rows, until what spoils them is alone.
SUSPECT = "request_refused:"


class Claimed(NamedTuple):
    """One message of a submission, as claimed."""

    id: UUID
    organisation_id: int
    campaign_id: UUID
    number: str
    sender: str | None
    text: str | None
    units: int
    attempt: int
    asks: int
    expires_at: dt.datetime
    error: str
    #: What the carrier knows it by: the id, and the attempt from the second on.
    reference: str

    def __repr__(self) -> str:
        return f"<Claimed {self.reference}>"


def reference(message_id: UUID, attempt: int) -> str:
    """What a carrier is told to know this attempt by; matching.py reads it back from reports."""
    return str(message_id) if attempt == 1 else f"{message_id}-{attempt}"


def rows_that_fit(
    carrier: Carrier, rows: Sequence[Claimed], common: Mapping[UUID, Campaign], room: int | None
) -> list[Claimed]:
    """The rows that go into one request: some carriers take one text (and sender) at a time, some
    tell results apart by number only, and the pace allows so many parts (the first row always).
    """
    kept: list[Claimed] = []
    numbers: set[str] = set()
    parts = 0
    most = _most(carrier, rows)
    for row in rows:
        if len(kept) == most:
            break
        if kept and _is_suspect(row) != _is_suspect(kept[0]):
            continue
        other_text = (
            carrier.one_text_per_request
            and bool(kept)
            and content_of(row, common) != content_of(kept[0], common)
        )
        repeated = carrier.matches_by == "number" and row.number in numbers
        too_much = room is not None and bool(kept) and parts + row.units > room
        if repeated or too_much or other_text:
            continue
        kept.append(row)
        numbers.add(row.number)
        parts += row.units
    return sorted(kept)


def _is_suspect(row: Claimed) -> bool:
    return row.error.startswith(SUSPECT)


def _most(carrier: Carrier, rows: Sequence[Claimed]) -> int:
    if rows and _is_suspect(rows[0]):
        return min(int(rows[0].error.removeprefix(SUSPECT)), carrier.batch_size)
    return carrier.batch_size


def content_of(row: Claimed, common: Mapping[UUID, Campaign]) -> tuple[str, str]:
    """(sender, text): the row's own, or its campaign's."""
    campaign = common[row.campaign_id]
    return row.sender or campaign.sender, campaign.message if row.text is None else row.text


def outbound(
    rows: Sequence[Claimed], common: Mapping[UUID, Campaign], now: dt.datetime
) -> list[OutboundSms]:
    """What the carrier is asked for: the row's own sender and text, or its campaign's."""
    batch = []
    for row in rows:
        sender, text = content_of(row, common)
        expires_at = max(row.expires_at, common[row.campaign_id].expires_at)
        validity_s = max(int((expires_at - now).total_seconds()), 1)
        batch.append(OutboundSms(row.reference, row.number, sender, text, row.units, validity_s))
    return batch
