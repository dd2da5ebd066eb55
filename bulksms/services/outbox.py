"""The outbox's rows: writing the messages of an accepted request."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from bulksms import db, states
from bulksms.models import Campaign, Hold, Message, Run


@dataclass(slots=True)
class Draft:
    """One recipient on its way in. ``error`` set = refused; its row is stored all the same."""

    id: UUID
    number: str = field(repr=False)
    #: What the caller wrote, where it differs from the number.
    input: str = field(repr=False)
    #: None = the campaign's common text.
    text: str | None = field(repr=False)
    units: int
    error: str = ""
    detail: str = ""
    carrier: str = ""
    price_micros: int = 0
    status: str = states.QUEUED
    #: None = the campaign's common sender.
    sender: str | None = None

    @property
    def cost_micros(self) -> int:
        return self.units * self.price_micros

    def refuse(self, error: str, detail: str, status: str = states.FAILED) -> None:
        """Never funded, never queued."""
        self.error, self.detail, self.status = error, detail[:255], status


def drafts_of(campaign: Campaign) -> list[Draft]:
    """The drafts as they were accepted or refused, read back from the intake columns."""
    rows = Message.objects.filter(campaign=campaign).order_by("id")
    columns = (
        "id", "number", "input", "text", "units", "intake_error", "intake_detail", "carrier",
        "unit_price_micros", "intake_status", "sender",
    )  # fmt: skip
    return [Draft(*row) for row in rows.values_list(*columns)]


_COLUMNS = (
    "id", "organisation_id", "campaign_id", "number", "input", "sender", "text", "intake_status",
    "intake_error", "intake_detail", "units", "unit_price_micros", "cost_micros", "hold_id",
    "charge", "captured_micros", "refunded_micros", "status", "error", "error_detail", "carrier",
    "carrier_ref", "attempt", "asks", "due_at", "expires_at", "done_at",
)  # fmt: skip


def enqueue(
    campaign: Campaign, hold: Hold | None, drafts: Sequence[Draft], due_at: dt.datetime
) -> None:
    """Write the rows of ``drafts``, and a run for each carrier that has work.

    The schedule is the run's: the rows themselves are due at once, so that moving a campaign's time
    touches none of them.
    """

    # A scheduled campaign may be moved: what its rows have of their own never outlives it.
    expires_at = campaign.created_at if campaign.scheduled_at else campaign.expires_at

    def row(draft: Draft) -> tuple[object, ...]:
        queued = draft.status == states.QUEUED
        return (
            draft.id, campaign.organisation_id, campaign.pk, draft.number, draft.input,
            draft.sender, draft.text, draft.status, draft.error, draft.detail, draft.units,
            draft.price_micros,
            draft.cost_micros, hold.pk if queued and hold else None,
            states.HELD if queued else states.NONE, 0, 0, draft.status, draft.error, draft.detail,
            draft.carrier, "", 1, 0, campaign.created_at, expires_at,
            None if queued else campaign.created_at,
        )  # fmt: skip

    db.insert(Message, _COLUMNS, (row(draft) for draft in drafts))
    work = Counter(draft.carrier for draft in drafts if draft.status == states.QUEUED)
    Run.objects.bulk_create(
        Run(
            campaign=campaign, organisation_id=campaign.organisation_id, carrier=carrier,
            priority=campaign.priority, queued_count=queued, due_at=due_at,
        )
        for carrier, queued in sorted(work.items())
    )  # fmt: skip
