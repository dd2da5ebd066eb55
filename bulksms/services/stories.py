"""The story of one message, from what the caller wrote to the last posting. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from bulksms import db, ids, money, reasons, states
from bulksms.models import (
    Campaign,
    Hold,
    LedgerEntry,
    Message,
    MessageAttempt,
    MessageLabels,
    Rate,
    Refund,
    Report,
    Submission,
)
from bulksms.services import routing
from bulksms.sms import numbers, segments

#: A request was made at most this long before it was noted that the message was asked for.
ASKING = dt.timedelta(minutes=2)
#: Movements of a hold shown at most.
MOVEMENTS = 100


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: a replaced one, or (``is_current``) the one that the row is on."""

    attempt: int
    status: str
    error: str
    detail: str
    carrier: str
    carrier_ref: str
    units: int
    unit_price: str
    cost: str
    charge: str
    asked_at: dt.datetime | None
    sent_at: dt.datetime | None
    ended_at: dt.datetime | None
    late_status: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Posting:
    """One ledger entry of the message's holds. ``whose``: "this message" when its own request
    caused it, else it is a movement of the whole hold."""

    entry: LedgerEntry
    amount: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about one message, ready to be shown."""

    campaign: Campaign
    written: str = field(repr=False)
    reading: str = field(repr=False)
    text: str = field(repr=False)
    encoding: str
    sender: str
    currency: str
    price: str
    cost: str
    rate: Rate | None
    rate_is_own: bool
    priced_at: dt.datetime
    error_class: str
    labels: MessageLabels | None
    holds: Sequence[Hold]
    tries: Sequence[Try]
    submissions: Sequence[Submission]
    reports: Sequence[Report]
    refunds: Sequence[Refund]
    postings: Sequence[Posting]


def tell(message: Message) -> Story:
    """The story of ``message``; a fixed number of queries."""
    campaign = Campaign.objects.select_related("organisation").get(pk=message.campaign_id)
    old = list(MessageAttempt.objects.filter(message=message).order_by("attempt"))
    holds = _holds(message, old)
    submissions = _submissions(message, old)
    priced_at = next((h.created_at for h in holds if h.pk == message.hold_id), campaign.created_at)
    rate = _rate(message, campaign, priced_at)
    text = campaign.message if message.text is None else message.text
    currency = campaign.currency
    return Story(
        campaign=campaign,
        written=message.input or (f"+{message.number}" if message.number else ""),
        reading=_reading(message, campaign),
        text=text,
        encoding=segments.count(text)[0] if text else "",
        sender=message.sender or campaign.sender,
        currency=currency,
        price=money.sentence(message.unit_price_micros, currency),
        cost=money.sentence(message.cost_micros, currency),
        rate=rate,
        rate_is_own=rate is not None and rate.organisation_id is not None,
        priced_at=priced_at,
        error_class=_error_class(message),
        labels=MessageLabels.objects.filter(pk=message.pk).first(),
        holds=holds,
        tries=[*(_try(row, currency) for row in old), _current(message, currency)],
        submissions=submissions,
        reports=_reports(message),
        refunds=list(Refund.objects.filter(message=message).order_by("attempt")),
        postings=_postings(holds, submissions, currency),
    )


def _reading(message: Message, campaign: Campaign) -> str:
    """How the number was read, or why not."""
    if message.intake_error:
        return message.intake_detail or message.intake_error
    found = numbers.normalise(f"+{message.number}", campaign.organisation.default_region)
    if isinstance(found, numbers.Refusal):
        return found.detail
    return f"+{found.e164}, a mobile number of {found.region}"


def _error_class(message: Message) -> str:
    codes = routing.carrier(message.carrier).permanent_codes if _is_known(message) else ()
    return reasons.error_class(message.status, message.error, codes)


def _is_known(message: Message) -> bool:
    return message.carrier in routing.names()


# Money


def _holds(message: Message, old: Sequence[MessageAttempt]) -> list[Hold]:
    wanted = [hold for hold in (message.hold_id, *(row.hold_id for row in old)) if hold]
    return list(Hold.objects.filter(pk__in=wanted).order_by("round"))


def _rate(message: Message, campaign: Campaign, at: dt.datetime) -> Rate | None:
    """The rate that gave the price: own ones first, the longest prefix, then the newest."""
    prefixes = [message.number[:length] for length in range(len(message.number) + 1)]
    rates = Rate.objects.filter(
        Q(organisation=campaign.organisation_id) | Q(organisation=None),
        currency=campaign.currency, prefix__in=prefixes, effective_from__lte=at,
    )  # fmt: skip
    rules = sorted(
        rates,
        key=lambda r: (r.organisation_id is not None, len(r.prefix), r.effective_from, r.pk),
    )
    return rules[-1] if rules and message.number else None


def _postings(
    holds: Sequence[Hold], submissions: Sequence[Submission], currency: str
) -> list[Posting]:
    causes = tuple(f":{submission.pk}:" for submission in submissions)
    entries = LedgerEntry.objects.filter(hold__in=[hold.pk for hold in holds]).order_by("pk")
    return [
        Posting(
            entry,
            money.sentence(entry.amount_micros, currency),
            any(cause in entry.key for cause in causes),
        )
        for entry in entries[:MOVEMENTS]
    ]


# Attempts


def _try(row: MessageAttempt, currency: str) -> Try:
    return Try(
        row.attempt, row.status, row.error, row.error_detail, row.carrier, row.carrier_ref,
        row.units, money.sentence(row.unit_price_micros, currency),
        money.sentence(row.cost_micros, currency), row.charge, row.asked_at, row.sent_at,
        row.done_at or row.replaced_at, row.late_status,
    )  # fmt: skip


def _current(message: Message, currency: str) -> Try:
    return Try(
        message.attempt, message.status, message.error, message.error_detail, message.carrier,
        message.carrier_ref, message.units, money.sentence(message.unit_price_micros, currency),
        money.sentence(message.cost_micros, currency), message.charge, message.asked_at,
        message.sent_at, message.done_at, is_current=True,
    )  # fmt: skip


def _submissions(message: Message, old: Sequence[MessageAttempt]) -> list[Submission]:
    """The newest request that asked for it, and those made shortly before each time it was asked.

    Nothing is indexed by message there; ids begin with the time, so a few requests are looked at.
    """
    near = Q(pk=message.submission_id)
    for moment in filter(None, (message.asked_at, *(row.asked_at for row in old))):
        near |= Q(pk__gte=ids.first_at(moment - ASKING), pk__lte=_end_of(moment))
    has = Submission.objects.filter(db.has_element("message_ids", str(message.pk)))
    return list(has.filter(near).order_by("pk"))


def _end_of(moment: dt.datetime) -> UUID:
    return ids.first_at(moment + dt.timedelta(seconds=1))


def _reports(message: Message) -> list[Report]:
    """Those that were matched, and those that wait for it."""
    matched = Q(message=message.pk)
    if message.carrier_ref:
        matched |= Q(
            status=states.PARKED, carrier=message.carrier, carrier_ref=message.carrier_ref
        )  # fmt: skip
    return list(Report.objects.filter(matched).order_by("pk"))
