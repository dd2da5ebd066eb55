"""Claiming: tx1 of a dispatch step. Queued rows become `sending`, owned by a new submission.

Work is chosen under the carrier's own row, so one process at a time chooses for a carrier: a free
slot, then runs (high priority first, then the longest waiting), then due rows of those runs. What
may not leave any more (suppressed, sender revoked) fails here, before anything is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from bulksms import clock, conf, db, ids, states
from bulksms.carriers.base import Carrier, OutboundSms
from bulksms.models import Campaign, CarrierState, Message, Run, SenderId, Submission
from bulksms.models.outbox import HIGH
from bulksms.services import campaigns, settlement, stops, suppression
from bulksms.services.settlement import Move

MESSAGES = Message._meta.db_table

#: Runs that one request may draw from.
MAX_RUNS = 50
#: Rows that are looked at for one text, where each has its own.
OWN_TEXTS = 10


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

    @property
    def reference(self) -> str:
        return str(self.id) if self.attempt == 1 else f"{self.id}-{self.attempt}"

    def __repr__(self) -> str:
        return f"<Claimed {self.reference}>"


@dataclass(frozen=True, slots=True)
class Claim:
    """A submission that this process may begin, and its messages in order."""

    submission_id: UUID
    carrier: str
    rows: Sequence[Claimed]
    batch: Sequence[OutboundSms]
    #: Rows that the last check refused: they failed and are not asked for.
    refused: int = 0


def claim(carrier: Carrier) -> Claim | None:
    """Take a free slot and a request's worth of due rows; None = no slot, no work, or not now."""
    now = clock.now()
    with transaction.atomic():
        slot = _free_slot(carrier, now)
        runs = _choose_runs(carrier, now) if slot else []
        if not slot or not runs:
            return None
        submission_id = ids.new()
        taken = _claim_rows(carrier, runs, submission_id, now)
        if not taken:
            return None
        common = Campaign.objects.in_bulk({row.campaign_id for row in taken})
        checked = _last_check(taken, common, submission_id, now)
        refused = len(taken) - len(checked)
        rows = _give_back_others(carrier, checked, common, submission_id, now)
        if not rows:
            return Claim(submission_id, carrier.name, (), (), refused)
        Submission.objects.create(
            id=submission_id, carrier=carrier.name, slot=slot, created_at=now,
            lease_until=now + dt.timedelta(seconds=conf.settings.LEASE_S),
            message_ids=[str(row.id) for row in rows],
        )  # fmt: skip
        batch = _batch(rows, common, now)
    return Claim(submission_id, carrier.name, rows, batch, refused)


def _free_slot(carrier: Carrier, now: dt.datetime) -> int | None:
    """Lock the carrier's row, then find a slot: one process at a time chooses its work."""
    state = CarrierState.objects.select_for_update().filter(carrier=carrier.name).first()
    if state is None:
        CarrierState.objects.bulk_create(
            [CarrierState(carrier=carrier.name)], ignore_conflicts=True
        )
        state = CarrierState.objects.select_for_update().get(carrier=carrier.name)
    slow = state.slow_until is not None and state.slow_until > now
    if slow or stops.is_stopped(carrier.name):
        return None
    open_ = Submission.objects.filter(carrier=carrier.name, status__in=states.OPEN_SUBMISSIONS)
    taken = set(open_.values_list("slot", flat=True))
    return next((slot for slot in range(1, carrier.window + 1) if slot not in taken), None)


def _choose_runs(carrier: Carrier, now: dt.datetime) -> list[Run]:
    """Due runs, high priority first, then the longest waiting; as many as fill a request."""
    ready = Run.objects.filter(
        carrier=carrier.name,
        queued_count__gt=0,
        is_paused=False,
        due_at__lte=now,
        organisation__is_active=True,
    )
    waiting = sorted(
        ready.order_by("priority", "due_at")[: MAX_RUNS * 2],
        key=lambda run: (run.priority != HIGH, run.served_at or run.due_at, run.pk),
    )
    if carrier.one_text_per_request:
        waiting = waiting[:1]
    chosen, rows = [], 0
    for run in waiting[:MAX_RUNS]:
        if rows < carrier.batch_size:
            chosen.append(run.pk)
            rows += run.queued_count
    return list(Run.objects.select_for_update().filter(pk__in=chosen).order_by("pk"))


_CLAIM = """
WITH picked AS MATERIALIZED (
  SELECT id AS picked_id FROM {messages}
  WHERE campaign_id = %s AND status = 'queued' AND carrier = %s
    AND due_at <= %s AND expires_at > %s
  ORDER BY due_at, id LIMIT %s{lock}
)
UPDATE {messages} SET status = 'sending', submission_id = %s
FROM picked WHERE id = picked_id
RETURNING id, organisation_id, campaign_id, number, sender, text, units, attempt, asks, expires_at
"""
_CLAIM_KINDS = (
    db.UUID_, db.INT, db.UUID_, db.TEXT, db.TEXT, db.TEXT, db.INT, db.INT, db.INT, db.TIME,
)  # fmt: skip


def _claim_rows(
    carrier: Carrier, runs: Sequence[Run], submission_id: UUID, now: dt.datetime
) -> list[Claimed]:
    campaigns.lock({run.campaign_id for run in runs})
    rows: list[Claimed] = []
    changes: dict[UUID, dict[str, int]] = {}
    for run in runs:
        room = min(carrier.batch_size - len(rows), _most(carrier, run))
        if room <= 0:
            break
        taken = _claim_run(carrier, run, submission_id, room, now)
        _serve(run, len(taken), room, now)
        if taken:
            changes[run.campaign_id] = {
                states.COUNTERS[states.QUEUED]: -len(taken),
                states.COUNTERS[states.SENDING]: len(taken),
            }
        rows += taken
    campaigns.count(changes, now)
    return sorted(rows)


def _most(carrier: Carrier, run: Run) -> int:
    """A campaign of own texts gives a carrier of one text per request few rows: most go back."""
    if carrier.one_text_per_request and not run.campaign.message:
        return OWN_TEXTS
    return carrier.batch_size


def _claim_run(
    carrier: Carrier, run: Run, submission_id: UUID, room: int, now: dt.datetime
) -> list[Claimed]:
    sql = _CLAIM.format(messages=MESSAGES, lock=db.for_update(skip_locked=True))
    params = (run.campaign_id, carrier.name, now, now, room, submission_id)
    return [Claimed._make(row) for row in db.fetch(sql, params, _CLAIM_KINDS)]


def _serve(run: Run, taken: int, room: int, now: dt.datetime) -> None:
    """Note what was taken; a run whose rows are not due yet sleeps until the first of them is."""
    run.queued_count -= taken
    run.served_at = now
    if taken < room and run.queued_count:
        nearest = (
            Message.objects.filter(
                campaign_id=run.campaign_id, status=states.QUEUED, carrier=run.carrier
            )
            .order_by("due_at")
            .values_list("due_at", flat=True)
            .first()
        )
        run.due_at = max(nearest or now, now + dt.timedelta(seconds=1))
    run.save(update_fields=("queued_count", "served_at", "due_at"))


def _last_check(
    rows: Sequence[Claimed],
    common: Mapping[UUID, Campaign],
    submission_id: UUID,
    now: dt.datetime,
) -> list[Claimed]:
    """Fail what may not leave any more (suppressed, sender revoked); the others, in order."""
    listed = suppression.among((row.organisation_id, row.number) for row in rows)
    senders = _approved({row.organisation_id for row in rows})
    refused: dict[UUID, Move] = {}
    for row in rows:
        sender, _ = _content(row, common)
        if (row.organisation_id, row.number) in listed:
            error, detail = suppression.SUPPRESSED, suppression.DETAIL
        elif (row.organisation_id, sender) not in senders:
            error, detail = "sender_not_allowed", "The sender ID was revoked before it was sent."
        else:
            continue
        refused[row.id] = Move(row.id, states.FAILED, error=error, error_detail=detail)
    campaign_ids = {row.campaign_id for row in rows if row.id in refused}
    key = f"check:{submission_id}"
    settlement.apply(list(refused.values()), campaign_ids, key=key, now=now)
    return [row for row in rows if row.id not in refused]


def _give_back_others(
    carrier: Carrier,
    rows: Sequence[Claimed],
    common: Mapping[UUID, Campaign],
    submission_id: UUID,
    now: dt.datetime,
) -> Sequence[Claimed]:
    """The rows that this carrier takes in one request; the others go back to the queue.

    Some carriers take one text (and sender) per request, some tell results apart by number only.
    """
    kept: list[Claimed] = []
    numbers: set[str] = set()
    for row in rows:
        fits = (
            not carrier.one_text_per_request
            or not kept
            or _content(row, common) == _content(kept[0], common)
        )
        if fits and not (carrier.matches_by == "number" and row.number in numbers):
            kept.append(row)
            numbers.add(row.number)
    ids_kept = {row.id for row in kept}
    others = [row for row in rows if row.id not in ids_kept]
    settlement.apply(
        [Move(row.id, states.QUEUED, due_at=now) for row in others],
        {row.campaign_id for row in others},
        key=f"others:{submission_id}",
        now=now,
        runs_locked=True,  # the only run that changes is this carrier's, chosen under its lock
    )
    return kept


def _content(row: Claimed, common: Mapping[UUID, Campaign]) -> tuple[str, str]:
    """(sender, text): the row's own, or its campaign's."""
    campaign = common[row.campaign_id]
    return row.sender or campaign.sender, campaign.message if row.text is None else row.text


def _approved(organisation_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(organisation id, sender) of all senders that may be used now."""
    approved = SenderId.objects.filter(
        organisation_id__in=organisation_ids, status=SenderId.STATUS.approved
    )
    return set(approved.values_list("organisation_id", "name"))


def _batch(
    rows: Sequence[Claimed], common: Mapping[UUID, Campaign], now: dt.datetime
) -> list[OutboundSms]:
    """What the carrier is asked for: the row's own sender and text, or its campaign's."""
    batch = []
    for row in rows:
        sender, text = _content(row, common)
        validity_s = max(int((row.expires_at - now).total_seconds()), 1)
        batch.append(OutboundSms(row.reference, row.number, sender, text, row.units, validity_s))
    return batch
