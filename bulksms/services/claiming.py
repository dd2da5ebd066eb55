"""Claiming: tx1 of a dispatch step. Queued rows become `sending`, owned by a new submission.

Work is chosen under the carrier's own row, so one process at a time chooses for a carrier: a free
slot, what the pace allows, whose turn it is (choosing.py), then due rows of those runs, locked.
What may not leave any more (suppressed, sender revoked) fails here, before anything is asked; what
does not fit into this request stays queued.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from bulksms import clock, conf, db, ids, states
from bulksms.carriers.base import Carrier, OutboundSms
from bulksms.models import Campaign, CarrierState, Message, Run, SenderId, Submission
from bulksms.models.outbox import HIGH, NORMAL
from bulksms.services import campaigns, choosing, fitting, pacing, settlement, stops, suppression
from bulksms.services.choosing import Lanes
from bulksms.services.fitting import Claimed, content_of, outbound, rows_that_fit
from bulksms.services.settlement import Move

MESSAGES, RUNS = Message._meta.db_table, Run._meta.db_table

#: Rows that are looked at for one text, where each has its own.
OWN_TEXTS = 50
#: Runs may turn out to have no due row: they are put to sleep and the next ones are looked at.
TRIES = 5
QUEUED_ONLY = frozenset({states.QUEUED})


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
    for _ in range(TRIES):
        found, look_again = _claim_once(carrier, clock.now())
        if not look_again:
            break
    return found


def _claim_once(carrier: Carrier, now: dt.datetime) -> tuple[Claim | None, bool]:
    """The claim, and whether it found runs without a due row: those sleep now, others may wait."""
    with transaction.atomic():
        state = pacing.lock(carrier.name)
        free = _free_slots(carrier, state, now)
        if not free:
            return None, False
        # The last slot is kept for high priority, so that it never waits for a long request.
        lanes = (HIGH,) if free[0] == carrier.window > 1 else (HIGH, NORMAL)
        waiting = choosing.waiting(state, lanes, now)
        rows = choosing.count(waiting)
        if not rows:
            return None, False
        room = pacing.room(state, carrier, rows, now)
        found = _claim(carrier, state, free[0], waiting, room, now) if room != 0 else None
        if found is not None:
            left = rows - len(found.rows) - found.refused
            another = len(free) > 1 and (free[1] < carrier.window or bool(waiting[HIGH]))
            if left > 0 and (another or not found.rows):
                pacing.wake_next(state, carrier, left, now)
        state.save()
    return found, found is None and room != 0


def _free_slots(carrier: Carrier, state: CarrierState, now: dt.datetime) -> list[int]:
    """The carrier's free slots, in order; none while it is stopped or left alone."""
    slow = state.slow_until is not None and state.slow_until > now
    if slow or stops.is_stopped(carrier.name):
        return []
    open_ = Submission.objects.filter(carrier=carrier.name, status__in=states.OPEN_SUBMISSIONS)
    taken = set(open_.values_list("slot", flat=True))
    return [slot for slot in range(1, carrier.window + 1) if slot not in taken]


def _claim(
    carrier: Carrier, state: CarrierState, slot: int, waiting: Lanes, room: int | None,
    now: dt.datetime,
) -> Claim | None:  # fmt: skip
    runs = _lock_runs(choosing.share_out(waiting, carrier))
    if not runs:
        return None
    submission_id = ids.new()
    common = _lock_campaigns(runs)
    found = [_candidates(carrier, run, share, common[run.campaign_id], now) for run, share in runs]
    candidates = [row for rows in found for row in rows]
    allowed = _last_check(candidates, common, submission_id, now)
    rows = rows_that_fit(carrier, allowed, common, room)
    _note_campaigns(rows, submission_id, now)
    _note_runs(runs, found, rows, refused=len(candidates) - len(allowed), now=now)
    _note_served(state, waiting, runs, rows)
    pacing.spend(state, carrier, len(rows), sum(row.units for row in rows))
    refused = len(candidates) - len(allowed)
    if not rows:
        return Claim(submission_id, carrier.name, (), (), refused) if refused else None
    Submission.objects.create(
        id=submission_id, carrier=carrier.name, slot=slot, created_at=now,
        lease_until=now + dt.timedelta(seconds=conf.settings.LEASE_S),
        message_ids=[str(row.id) for row in rows],
    )  # fmt: skip
    return Claim(submission_id, carrier.name, rows, outbound(rows, common, now), refused)


# Locks, in their order: runs, campaigns, messages

#: A run, and how many of its rows this request may take.
Shared = tuple[Run, int]


def _lock_runs(shares: Mapping[int, int]) -> list[Shared]:
    """The runs in order of their turn, locked, but for those paused or emptied meanwhile."""
    ready = Run.objects.filter(pk__in=list(shares), is_paused=False, queued_count__gt=0)
    locked = {run.pk: run for run in ready.select_for_update().order_by("pk")}
    return [(locked[id_], share) for id_, share in shares.items() if id_ in locked]


def _lock_campaigns(runs: Sequence[Shared]) -> dict[UUID, Campaign]:
    wanted = {run.campaign_id for run, _ in runs}
    rows = Campaign.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    return {campaign.pk: campaign for campaign in rows}


_COLUMNS = {
    "id": db.UUID_, "organisation_id": db.INT, "campaign_id": db.UUID_, "number": db.TEXT,
    "sender": db.TEXT, "text": db.TEXT, "units": db.INT, "attempt": db.INT, "asks": db.INT,
    "expires_at": db.TIME, "error": db.TEXT,
}  # fmt: skip
_ATTEMPT = list(_COLUMNS).index("attempt")
_CANDIDATES = f"""
SELECT {", ".join(_COLUMNS)} FROM {MESSAGES}
WHERE campaign_id = %s AND status = 'queued' AND carrier = %s AND due_at <= %s{{alive}}
ORDER BY due_at, id LIMIT %s{{lock}}
"""


def _candidates(
    carrier: Carrier, run: Run, share: int, campaign: Campaign, now: dt.datetime
) -> list[Claimed]:
    """Due rows of the run, locked. Own texts for a carrier of one text: a few, most will not fit.

    A row lives as long as its campaign, or longer after a retry.
    """
    own_texts = carrier.one_text_per_request and not campaign.message
    alive = campaign.expires_at > now
    sql = _CANDIDATES.format(
        alive="" if alive else " AND expires_at > %s", lock=db.for_update(skip_locked=True)
    )
    limit = min(share, OWN_TEXTS) if own_texts else share
    params = (run.campaign_id, run.carrier, now, *(() if alive else (now,)), limit)
    rows = db.fetch(sql, params, tuple(_COLUMNS.values()))
    return [Claimed._make((*row, fitting.reference(row[0], row[_ATTEMPT]))) for row in rows]


# Which of them go


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
        sender, _ = content_of(row, common)
        if (row.organisation_id, row.number) in listed:
            error, detail = suppression.SUPPRESSED, suppression.DETAIL
        elif (row.organisation_id, sender) not in senders:
            error, detail = "sender_not_allowed", "The sender ID was revoked before it was sent."
        else:
            continue
        refused[row.id] = Move(
            row.id, states.FAILED, error=error, error_detail=detail, only_from=QUEUED_ONLY
        )
    campaign_ids = {row.campaign_id for row in rows if row.id in refused}
    key = f"check:{submission_id}"
    settlement.apply(list(refused.values()), campaign_ids, key=key, now=now, runs_locked=True)
    return [row for row in rows if row.id not in refused]


# What is written down


def _note_runs(
    runs: Sequence[Shared], found: Sequence[Sequence[Claimed]], kept: Sequence[Claimed], *,
    refused: int, now: dt.datetime,
) -> None:  # fmt: skip
    """Count what was taken; a run whose rows are not due yet sleeps until the first of them is."""
    taken = Counter(row.campaign_id for row in kept)
    rows = []
    for (run, share), candidates in zip(runs, found, strict=True):
        all_went = not refused and taken[run.campaign_id] == len(candidates)
        asleep = all_went and len(candidates) < min(share, OWN_TEXTS, run.queued_count)
        rows.append((run.pk, now, _nearest(run, now) if asleep else run.due_at))
    counts = [(run.pk, -taken[run.campaign_id]) for run, _ in runs if taken[run.campaign_id]]
    db.add(RUNS, {"id": db.INT, "queued_count": db.INT}, counts)
    db.update(RUNS, {"id": db.INT, "served_at": db.TIME, "due_at": db.TIME}, rows)


def _nearest(run: Run, now: dt.datetime) -> dt.datetime:
    those = Message.objects.filter(
        campaign_id=run.campaign_id, status=states.QUEUED, carrier=run.carrier
    )
    first = those.order_by("due_at").values_list("due_at", flat=True).first()
    return max(first or now, now + dt.timedelta(seconds=1))


def _note_campaigns(rows: Sequence[Claimed], submission_id: UUID, now: dt.datetime) -> None:
    """queued -> sending, in the rows and in the counters."""
    those, params = db.matching("id", db.UUID_, [row.id for row in rows])
    db.execute(
        f"UPDATE {MESSAGES} SET status = 'sending', submission_id = %s WHERE {those}",
        [submission_id, *params],
    )
    queued, sending = states.COUNTERS[states.QUEUED], states.COUNTERS[states.SENDING]
    taken = Counter(row.campaign_id for row in rows)
    campaigns.count({id_: {queued: -n, sending: n} for id_, n in taken.items()}, now)


def _note_served(
    state: CarrierState, waiting: Lanes, runs: Sequence[Shared], rows: Sequence[Claimed]
) -> None:
    lane = {run.campaign_id: run.priority for run, _ in runs}
    served: Counter[tuple[str, int]] = Counter()
    for row in rows:
        served[lane[row.campaign_id], row.organisation_id] += row.units
    choosing.note_served(state, waiting, served)


def _approved(organisation_ids: Iterable[int]) -> set[tuple[int, str]]:
    """(organisation id, sender) of all senders that may be used now."""
    approved = SenderId.objects.filter(
        organisation_id__in=organisation_ids, status=SenderId.STATUS.approved
    )
    return set(approved.values_list("organisation_id", "name"))
