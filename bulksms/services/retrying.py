"""Retry: a new funded attempt for messages that did not arrive, asked for by somebody.

What is asked for again is validated, routed and priced as of today, under a new hold (a round of
its campaign); the old attempt is kept, word for word, in MessageAttempt. Never asked for again:
what may still arrive (queued, sending, sent, unknown), what did, and what never can. An
``unconfirmed`` message may have arrived, so only its own id and ``accept_duplicates`` ask for it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from bulksms import clock, conf, db, money, queues, reasons, states
from bulksms.exceptions import Conflict, FieldError, InvalidRequest
from bulksms.models import Campaign, Hold, Message, Organisation, Run, Wallet
from bulksms.services import attempts, campaigns, intake, routing, settlement, stops, wallet
from bulksms.services.outbox import Draft

MESSAGES = Message._meta.db_table


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: by id, or by state and error; nothing given = all that it makes sense for.

    By default that is: skipped, not paid for, expired in our queue, and temporary reports.
    """

    message_ids: Sequence[UUID] | None = None
    statuses: Sequence[str] | None = None
    errors: Sequence[str] | None = None
    #: For ``unconfirmed`` messages, by id: a second copy may arrive.
    accept_duplicates: bool = False


@dataclass(slots=True)
class Retried:
    """What became of a retry. ``rows`` are drafts in input order; one with ``error`` stays as it
    was. ``remaining``: more would have matched, ask again. After a dry run nothing has changed.
    """

    campaign: Campaign
    rows: list[Draft] = field(default_factory=list)
    cost_micros: int = 0
    remaining: int = 0
    dry_run: bool = False

    @property
    def queued(self) -> int:
        return sum(not row.error for row in self.rows)


def retry(
    organisation: Organisation, campaign_id: UUID, wanted: Wanted, *, dry_run: bool = False
) -> Retried:
    """Queue the wanted messages of a campaign again, at most 10,000 of them, in one transaction.

    From the first message on that cannot be paid, the others stay as they are. Raises NotFound,
    InvalidRequest, SendingStopped, WalletBusy; Conflict for a campaign that is being cancelled.
    """
    now = clock.now()
    with transaction.atomic():
        stops.check_intake(organisation)
        campaign = _lock(organisation, campaign_id)
        messages, remaining = _find(campaign, wanted, now)
        drafts = _prepare(organisation, campaign, messages, wanted, now)
        purse = wallet.of(organisation) if dry_run else wallet.lock(organisation)
        total = _fund(purse, drafts, now)
        result = Retried(campaign, drafts, total, remaining, dry_run)
        if dry_run:
            transaction.set_rollback(True)  # looking may have given ended rows' money back
        elif result.queued:
            _start(campaign, purse, drafts, messages, total, now)
    if not dry_run:
        campaign.refresh_from_db()
    return result


def _lock(organisation: Organisation, campaign_id: UUID) -> Campaign:
    campaign = settlement.lock_campaign(organisation, campaign_id)
    if campaign.cancelled_at is not None and campaign.finished_at is None:
        raise Conflict(
            "This campaign is being cancelled. Retry when it is finished.", code="being_cancelled"
        )
    return campaign


# Which messages


def _find(campaign: Campaign, wanted: Wanted, now: dt.datetime) -> tuple[list[Message], int]:
    """The wanted messages, locked, in input order, and how many more there are.

    Money that rows of this campaign wait to give back comes first: it may pay for the retry.
    """
    those = _matching(campaign, wanted)
    limit = conf.settings.MAX_RECIPIENTS
    ids = list(those.order_by("id").values_list("id", flat=True)[: limit + 1])
    remaining = those.count() - limit if len(ids) > limit else 0
    ended = Message.objects.filter(
        campaign=campaign,
        charge=states.HELD,
        done_at__isnull=False,
        hold__release_due_at__isnull=False,
    )
    held = dict(ended.values_list("id", "hold_id"))
    rows = Message.objects.filter(id__in=[*ids[:limit], *held]).order_by("id")
    found = list(rows.select_for_update())
    for hold_id in sorted({hold for hold in held.values() if hold}):
        settlement.release_ended(campaign.pk, hold_id, now)
    if held:
        found = list(rows)
    wanted_ids = set(ids[:limit])
    return [row for row in found if row.id in wanted_ids], remaining


def _matching(campaign: Campaign, wanted: Wanted) -> QuerySet[Message]:
    rows = Message.objects.filter(campaign=campaign)
    if wanted.message_ids is not None:
        return _by_id(rows, wanted)
    if wanted.statuses is None and wanted.errors is None:
        return rows.filter(_by_default())
    _check_names(wanted)
    rows = rows.filter(status__in=states.RETRYABLE).exclude(error__in=reasons.NEVER_RETRIED)
    if wanted.statuses is not None:
        rows = rows.filter(status__in=list(wanted.statuses))
    if wanted.errors is not None:
        rows = rows.filter(error__in=list(wanted.errors))
    return rows


def _by_id(rows: QuerySet[Message], wanted: Wanted) -> QuerySet[Message]:
    ids = list(dict.fromkeys(wanted.message_ids or ()))
    limit = conf.settings.MAX_RECIPIENTS
    if wanted.statuses is not None or wanted.errors is not None or not 0 < len(ids) <= limit:
        detail = f"Give 1 to {limit} message_ids, and neither statuses nor errors beside them."
        raise InvalidRequest([FieldError("message_ids", "invalid_selection", detail)])
    rows = rows.filter(id__in=ids)
    missing = set(ids) - set(rows.values_list("id", flat=True))
    if missing:
        detail = f"This campaign has no message {min(missing)}."
        raise InvalidRequest([FieldError("message_ids", "message_not_found", detail)])
    return rows


def _check_names(wanted: Wanted) -> None:
    hopeless = sorted(set(wanted.statuses or ()) - states.RETRYABLE)
    if hopeless:
        allowed = ", ".join(sorted(states.RETRYABLE))
        detail = f"{hopeless[0]} cannot be retried by status; these can: {allowed}."
        raise InvalidRequest([FieldError("statuses", "not_retryable", detail)])
    hopeless = sorted(set(wanted.errors or ()) & reasons.NEVER_RETRIED)
    if hopeless:
        detail = f"{hopeless[0]} is final: no retry cures it."
        raise InvalidRequest([FieldError("errors", "not_retryable", detail)])


def _by_default() -> Q:
    permanent: set[str] = set()
    for name in routing.names():
        permanent |= routing.carrier(name).permanent_codes
    temporary = Q(status__in=(states.UNDELIVERED, states.EXPIRED)) & ~Q(error__in=permanent)
    ours = Q(status__in=states.RETRYABLE, error__in=reasons.RETRIED_BY_DEFAULT)
    return Q(status=states.SKIPPED) | ours | temporary


# What may be done for them


def _prepare(
    organisation: Organisation, campaign: Campaign, messages: Sequence[Message], wanted: Wanted,
    now: dt.datetime,
) -> list[Draft]:  # fmt: skip
    drafts = intake.prepare_again(organisation, campaign.sender, messages, now)
    for draft, message in zip(drafts, messages, strict=True):
        error, detail = _refusal(message, wanted) if _has_text(campaign, message) else _TEXT_BLANKED
        if error:
            draft.refuse(error, detail)
    return drafts


def _has_text(campaign: Campaign, message: Message) -> bool:
    """Whether there is still a text to send; a sensitive one is blanked when it was sent."""
    text = campaign.message if message.text is None else message.text
    return bool(text) or campaign.text_blanked_at is None


_TEXT_BLANKED = ("text_blanked", "Its text was sensitive and is blanked. Send a new message.")


def _refusal(message: Message, wanted: Wanted) -> tuple[str, str]:
    """Why this message is not asked for again, whatever its number and price; ("", "") = it is."""
    if message.charge == states.HELD and message.status in states.FINAL:
        return "release_pending", "Its money is just being given back. Try again in a moment."
    if message.status in states.RETRYABLE and message.error not in reasons.NEVER_RETRIED:
        return "", ""
    if message.status != states.UNCONFIRMED:
        return "not_retryable", f"It is {message.status}."
    if wanted.accept_duplicates:
        return "", ""
    return (
        "may_have_arrived",
        "No report came, so it may have arrived. Say accept_duplicates to send it once more.",
    )


def _fund(purse: Wallet, drafts: Sequence[Draft], now: dt.datetime) -> int:
    """The funds rule, as for a new request; returns what must be held, in micros."""
    costs = [None if draft.error else draft.cost_micros for draft in drafts]
    plan = wallet.plan(costs, wallet.spendable(purse), wallet.cap_left(purse, now))
    if plan.stopped_at is None:
        return plan.total_micros
    error = plan.stopped_by or wallet.INSUFFICIENT_BALANCE
    left = plan.available_micros if error == wallet.INSUFFICIENT_BALANCE else plan.cap_left_micros
    for draft in drafts[plan.stopped_at :]:
        if not draft.error:
            required = money.sentence(draft.cost_micros, purse.currency)
            there = money.sentence(left or 0, purse.currency)
            draft.refuse(error, f"Required {required}, available {there}. Top up and retry.")
    return plan.total_micros


# The new attempt


def _start(
    campaign: Campaign, purse: Wallet, drafts: Sequence[Draft], messages: Sequence[Message],
    total: int, now: dt.datetime,
) -> None:  # fmt: skip
    """A new hold, the old attempts copied away, the rows queued, everything counted."""
    funded = [(d, m) for d, m in zip(drafts, messages, strict=True) if not d.error]
    campaign.round += 1
    campaign.cancelled_at = None
    campaign.save(update_fields=("round", "cancelled_at"))
    hold = wallet.reserve(purse, campaign, total, campaign.round)
    wallet.close_empty(hold)
    attempts.replace([m.id for _, m in funded if m.hold_id], now, take_over_hold=False)
    _queue([draft for draft, _ in funded], hold, now)
    _count(campaign, [m for _, m in funded], now)
    _add_to_runs(campaign, Counter(draft.carrier for draft, _ in funded), now)


_QUEUED = {
    "id": db.UUID_, "number": db.TEXT, "status": db.TEXT, "carrier": db.TEXT, "units": db.INT,
    "unit_price_micros": db.INT, "cost_micros": db.INT, "hold_id": db.INT, "charge": db.TEXT,
    "captured_micros": db.INT, "refunded_micros": db.INT, "error": db.TEXT,
    "error_detail": db.TEXT, "due_at": db.TIME, "expires_at": db.TIME, "done_at": db.TIME,
    "delivered_at": db.TIME, "submission_id": db.UUID_,
}  # fmt: skip


def _queue(drafts: Sequence[Draft], hold: Hold, now: dt.datetime) -> None:
    expires_at = now + dt.timedelta(seconds=conf.settings.EXPIRY_S)
    rows = [
        (
            draft.id, draft.number, states.QUEUED, draft.carrier, draft.units, draft.price_micros,
            draft.cost_micros, hold.pk, states.HELD, 0, 0, "", "", now, expires_at, None, None,
            None,
        )
        for draft in drafts
    ]  # fmt: skip
    db.update(MESSAGES, _QUEUED, rows)


def _count(campaign: Campaign, messages: Sequence[Message], now: dt.datetime) -> None:
    change: Counter[str] = Counter(states.COUNTERS[message.status] for message in messages)
    change = Counter({column: -count for column, count in change.items()})
    change[states.COUNTERS[states.QUEUED]] += len(messages)
    change["done_count"] -= sum(message.done_at is not None for message in messages)
    campaigns.count({campaign.pk: change}, now)


def _add_to_runs(campaign: Campaign, work: Counter[str], now: dt.datetime) -> None:
    """Due now, paused if their campaign is. There are as many runs as carriers: a few."""
    paused = campaign.status == states.PAUSED
    new = [
        Run(
            campaign=campaign, organisation_id=campaign.organisation_id, carrier=carrier,
            priority=campaign.priority, due_at=now,
        )
        for carrier in sorted(work)
    ]  # fmt: skip
    Run.objects.bulk_create(new, ignore_conflicts=True)
    for carrier, queued in sorted(work.items()):
        Run.objects.filter(campaign=campaign, carrier=carrier).update(
            queued_count=F("queued_count") + queued, due_at=now, is_paused=paused
        )
        queues.wake(queues.DISPATCH, carrier)
