"""What is stuck and why, for operators: each line says what to do next. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Min, Q, Sum

from bulksms import clock, conf, states
from bulksms.models import Campaign, CarrierState, Hold, Lease, Report, Run, Submission, Wallet
from bulksms.services import stops

#: A tick that has not beaten for this long is missing.
TICK_MISSING = dt.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the status: ``level`` ok | wait | act, what there is, what to do about it."""

    level: str
    what: str
    advice: str = ""


def findings() -> Iterator[Finding]:
    """Everything worth a look, worst things not first: in the order of a message's life."""
    now = clock.now()
    yield from _tick(now)
    yield from _stops()
    yield from _queues(now)
    yield from _submissions(now)
    yield from _unknown()
    yield from _reports(now)
    yield from _money(now)


def _tick(now: dt.datetime) -> Iterator[Finding]:
    lease = Lease.objects.filter(name="tick").first()
    if lease is None or now - lease.beaten_at > TICK_MISSING:
        since = "ever" if lease is None else f"since {lease.beaten_at:%Y-%m-%d %H:%M:%S} UTC"
        advice = "Start a worker (bulksms_worker), or run bulksms_tick from cron."
        yield Finding("act", f"no tick {since}", advice)
    else:
        yield Finding("ok", f"the tick beats ({lease.owner})")


def _stops() -> Iterator[Finding]:
    for state in CarrierState.objects.filter(paused_at__isnull=False):
        name = "everything" if state.carrier == stops.EVERYTHING else f"carrier {state.carrier}"
        advice = f"Put it right, then: bulksms_stop --resume --carrier '{state.carrier}'."
        yield Finding("act", f"{name} is stopped: {state.pause_reason or 'no reason'}", advice)


def _queues(now: dt.datetime) -> Iterator[Finding]:
    open_ = Run.objects.filter(queued_count__gt=0, campaign__finished_at=None)
    waiting = open_.values("carrier").order_by("carrier")
    due = Q(due_at__lte=now, is_paused=False, organisation__is_active=True)
    totals = waiting.annotate(
        rows=Sum("queued_count"), ready=Sum("queued_count", filter=due), oldest=Min("due_at")
    )
    known = conf.settings.CARRIERS
    for total in totals:
        name, ready = total["carrier"], total["ready"] or 0
        what = f"{total['rows']} queued for {name}, {ready} of them due"
        if name not in known:
            advice = "Add it to BULKSMS['CARRIERS'] again; nothing can be sent until then."
            yield Finding("act", f"{what}; there is no such carrier", advice)
        else:
            yield Finding("wait" if ready else "ok", what)


def _submissions(now: dt.datetime) -> Iterator[Finding]:
    open_ = Submission.objects.filter(status__in=states.OPEN_SUBMISSIONS)
    late = open_.filter(lease_until__lt=now).count()
    if late:
        advice = "The tick ends them; if this stays, no tick is running."
        yield Finding("act", f"{late} request(s) whose worker is gone", advice)
    if count := open_.count() - late:
        yield Finding("ok", f"{count} request(s) under way")


def _unknown() -> Iterator[Finding]:
    rows = Campaign.objects.filter(finished_at=None, unknown_count__gt=0)
    total = rows.aggregate(n=Sum("unknown_count"), campaigns=Count("id"))
    if total["n"]:
        advice = "A report, a query or the deadline ends them; or decide: bulksms_resolve."
        yield Finding("wait", f"{total['n']} unknown in {total['campaigns']} campaign(s)", advice)


def _reports(now: dt.datetime) -> Iterator[Finding]:
    new = Report.objects.filter(status=states.NEW).aggregate(n=Count("id"), at=Min("received_at"))
    if new["n"]:
        age = int((now - new["at"]).total_seconds())
        level = "act" if age > TICK_MISSING.total_seconds() else "wait"
        yield Finding(level, f"{new['n']} report(s) not applied yet, the oldest for {age} s")
    if parked := Report.objects.filter(status=states.PARKED).count():
        advice = "They match no message yet; tried again hourly for 72 hours."
        yield Finding("wait", f"{parked} report(s) parked", advice)


def _money(now: dt.datetime) -> Iterator[Finding]:
    if late := Hold.objects.filter(release_due_at__isnull=False).count():
        yield Finding("wait", f"{late} hold(s) wait for their wallet", "The tick releases them.")
    low = Wallet.objects.filter(available_micros__lte=0, credit_limit_micros=0)
    for slug in low.values_list("organisation__slug", flat=True)[:20]:
        yield Finding("act", f"the wallet of {slug} is empty", f"bulksms_topup {slug} ...")
