"""Figures for the dashboard: the last hour by minute and by carrier, queues, balances. Reads only.

A handful of set-based statements, whatever there is. What was finished is found by the index of
finished messages (``organisation, done_at``), requests by their ids, which begin with their time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, TruncMinute, TruncSecond

from bulksms import clock, ids, states
from bulksms.models import (
    Campaign,
    CarrierState,
    Hold,
    Message,
    Organisation,
    Run,
    Submission,
    Wallet,
)
from bulksms.services import stops

MINUTES = 60
#: A request may be answered this much later than it was made.
SLACK = dt.timedelta(minutes=5)
#: Requests read for one look; more than that in an hour are not all shown.
REQUESTS = 50_000
DAY = dt.timedelta(days=1)
LOW = 10

SENT, DELIVERED, FAILED, UNKNOWN = "sent", "delivered", "failed", "unknown"
SERIES = (SENT, DELIVERED, FAILED, UNKNOWN)

_OUTCOME = re.compile(r"(\d+) ([a-z]+)")


@dataclass(frozen=True, slots=True)
class Minutes:
    """Messages per minute. ``series[name][i]`` belongs to ``starts[i]``; the last is not over.

    ``failed`` is every end but delivered; ``unknown``: requests whose answer was lost then.
    """

    starts: Sequence[dt.datetime]
    series: Mapping[str, Sequence[int]]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(counts) for name, counts in self.series.items()}


def minutes() -> Minutes:
    """The last hour, minute by minute."""
    last = clock.now().replace(second=0, microsecond=0)
    starts = [last - dt.timedelta(minutes=back) for back in range(MINUTES - 1, -1, -1)]
    counts: dict[str, Counter[dt.datetime]] = {name: Counter() for name in SERIES}
    for minute, status, count in _done_by_minute(starts[0]):
        counts[DELIVERED if status == states.DELIVERED else FAILED][minute] += count
    for minute, status, count in _asked_by_minute(starts[0]):
        if status in (SENT, UNKNOWN):
            counts[status][minute] += count
    return Minutes(starts, {name: [by[start] for start in starts] for name, by in counts.items()})


def _done_since(since: dt.datetime) -> QuerySet[Message]:
    """Messages finished since then; by organisation, because that is how they are indexed."""
    everybody = list(Organisation.objects.values_list("pk", flat=True))
    return Message.objects.filter(organisation__in=everybody, done_at__gte=since)


def _done_by_minute(since: dt.datetime) -> Iterable[tuple[dt.datetime, str, int]]:
    minute = TruncMinute("done_at", tzinfo=dt.UTC)
    rows = _done_since(since).order_by().values("status", minute=minute).annotate(n=Count("pk"))
    return rows.values_list("minute", "status", "n")


def _minute(moment: dt.datetime | None) -> dt.datetime:
    assert moment is not None
    return moment.replace(second=0, microsecond=0)


def _asked_by_minute(since: dt.datetime) -> Iterable[tuple[dt.datetime, str, int]]:
    """What carriers answered: each request has its counts in words ("498 sent, 2 failed")."""
    asked = Submission.objects.filter(id__gte=ids.first_at(since - SLACK), ended_at__gte=since)
    recorded = asked.exclude(status=states.LOST).values_list("ended_at", "outcome")
    for ended_at, outcome in recorded[:REQUESTS]:
        for count, status in _OUTCOME.findall(outcome):
            yield _minute(ended_at), status, int(count)
    lost = asked.filter(status=states.LOST).values_list("ended_at", "message_ids")
    for ended_at, message_ids in lost[:REQUESTS]:
        yield _minute(ended_at), UNKNOWN, len(message_ids)


@dataclass(slots=True)
class CarrierFigures:
    """A carrier in the last hour, and its queue now.

    ``delivered`` of ``ended``: of those that it took and that ended. Latency from "sent" to
    "delivered", in seconds, to the second; None = nothing was delivered.
    """

    carrier: str
    delivered: int = 0
    ended: int = 0
    p50_s: int | None = None
    p95_s: int | None = None
    queued: int = 0
    oldest_s: int | None = None
    stopped: str = ""
    latencies: Counter[int] = field(default_factory=Counter, repr=False)

    @property
    def rate(self) -> float | None:
        """Percent delivered; None = nothing ended."""
        return round(100 * self.delivered / self.ended, 1) if self.ended else None


def carriers() -> list[CarrierFigures]:
    """All carriers that did something in the last hour, have a queue or are stopped; by name."""
    now = clock.now()
    found: dict[str, CarrierFigures] = {}

    def of(name: str) -> CarrierFigures:
        return found.setdefault(name, CarrierFigures(name))

    for name, status, latency, count in _ended(now - dt.timedelta(minutes=MINUTES)):
        figures = of(name)
        figures.ended += count
        if status == states.DELIVERED:
            figures.delivered += count
            if latency is not None:
                figures.latencies[max(0, round(latency.total_seconds()))] += count
    for name, queued, oldest in _waiting(now):
        of(name).queued = queued
        of(name).oldest_s = None if oldest is None else int((now - oldest).total_seconds())
    paused = CarrierState.objects.filter(paused_at__isnull=False).exclude(carrier=stops.EVERYTHING)
    for name, why in paused.values_list("carrier", "pause_reason"):
        of(name).stopped = why or "stopped"
    for figures in found.values():
        figures.p50_s = percentile(figures.latencies, 50)
        figures.p95_s = percentile(figures.latencies, 95)
    return [found[name] for name in sorted(found)]


def _ended(since: dt.datetime) -> Iterable[tuple[str, str, dt.timedelta | None, int]]:
    took = TruncSecond("delivered_at", tzinfo=dt.UTC) - TruncSecond("sent_at", tzinfo=dt.UTC)
    rows = _done_since(since).filter(sent_at__isnull=False, status__in=states.ACCEPTED).order_by()
    grouped = rows.values("carrier", "status", took=took).annotate(n=Count("pk"))
    return grouped.values_list("carrier", "status", "took", "n")


def _waiting(now: dt.datetime) -> Iterable[tuple[str, int, dt.datetime | None]]:
    runs = Run.objects.filter(queued_count__gt=0).order_by("carrier").values("carrier")
    due = Q(due_at__lte=now, is_paused=False)
    totals = runs.annotate(n=Sum("queued_count"), oldest=Min("due_at", filter=due))
    return totals.values_list("carrier", "n", "oldest")


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """The smallest value that at least ``percent`` % of all do not exceed; None of nothing."""
    total, seen = sum(counts.values()), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen * 100 >= percent * total:
            return value
    return None


@dataclass(frozen=True, slots=True)
class LowBalance:
    """A wallet that runs low. ``left_micros``: what may be spent, credit included.

    ``lasts_h``: hours at the pace of the last day; None = nothing was spent.
    """

    wallet_id: int
    organisation: str
    currency: str
    left_micros: int
    spent_micros: int

    @property
    def lasts_h(self) -> float | None:
        if not self.spent_micros:
            return None
        return round(24 * max(self.left_micros, 0) / self.spent_micros, 1)


def low_balances() -> list[LowBalance]:
    """Wallets below their threshold, empty, or gone within a day at the pace of the last; the
    lowest first, at most ten.
    """
    holds = Hold.objects.filter(wallet=OuterRef("pk"), created_at__gte=clock.now() - DAY)
    spent = holds.values("wallet").annotate(n=Sum(F("held_micros") - F("released_micros")))
    wallets = Wallet.objects.filter(credit_limit_micros__isnull=False).annotate(
        spent=Coalesce(Subquery(spent.values("n")), 0),
        left=F("available_micros") + F("credit_limit_micros"),
    )
    low = Q(left__lte=0) | Q(available_micros__lt=F("low_balance_micros")) | Q(left__lt=F("spent"))
    rows = wallets.filter(low).order_by("left", "pk")[:LOW]
    return [
        LowBalance(*row)
        for row in rows.values_list("pk", "organisation__name", "currency", "left", "spent")
    ]


@dataclass(frozen=True, slots=True)
class Now:
    """This moment over all campaigns that are not finished."""

    campaigns: int
    queued: int
    sending: int
    awaiting_report: int
    unknown: int


def now() -> Now:
    """Counted from the campaigns' own counters: no message is read."""
    names = ("queued", "sending", "awaiting_report", "unknown")
    sums = Campaign.objects.filter(finished_at=None).aggregate(
        campaigns=Count("pk"), **{name: Coalesce(Sum(f"{name}_count"), 0) for name in names}
    )
    return Now(**sums)
