"""Figures for Prometheus, read from the database when they are asked for (extra ``metrics``).

``prometheus_client.REGISTRY.register(BulkSmsCollector())`` in one process: the figures are the same
in all. None of it reads the message table: a scrape costs the same at a million rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Min, Q, Sum
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bulksms import clock, conf, states
from bulksms.models import Campaign, CarrierState, Report, Run, Submission
from bulksms.services import health


class BulkSmsCollector(Collector):
    """Gauges: what waits, what is open, and whether it moves."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = health.look()
        yield _gauge("database_up", "1 if the database answers", float(found.database))
        if found.broker is not None:
            yield _gauge("broker_up", "1 if the broker answers", float(found.broker))
        if not found.database:
            return
        if found.tick_age_s is not None:
            yield _gauge("tick_age_seconds", "since a worker's tick last beat", found.tick_age_s)
        yield _messages()
        yield from _queues()
        yield _requests()
        yield _reports()
        yield _stopped()


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bulksms_{name}", text, value=value)


def _by(label: str, name: str, text: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"bulksms_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _messages() -> GaugeMetricFamily:
    """Of unfinished campaigns, by state: their counters."""
    open_ = Campaign.objects.filter(finished_at=None)
    totals = open_.aggregate(**{s: Sum(column) for s, column in states.COUNTERS.items()})
    values = {state: float(total or 0) for state, total in totals.items()}
    return _by("state", "messages", "messages of unfinished campaigns", values)


def _queues() -> Iterator[GaugeMetricFamily]:
    now = clock.now()
    waiting = Run.objects.filter(queued_count__gt=0).values("carrier")
    due = Q(due_at__lte=now, is_paused=False)
    rows = list(waiting.annotate(rows=Sum("queued_count"), oldest=Min("due_at", filter=due)))
    queued = dict.fromkeys(conf.settings.CARRIERS, 0.0) | {r["carrier"]: r["rows"] for r in rows}
    age = dict.fromkeys(conf.settings.CARRIERS, 0.0)
    age |= {r["carrier"]: (now - r["oldest"]).total_seconds() for r in rows if r["oldest"]}
    yield _by("carrier", "queued", "messages waiting to be sent", queued)
    yield _by("carrier", "oldest_due_seconds", "how long the oldest due work waits", age)


def _requests() -> GaugeMetricFamily:
    open_ = Submission.objects.filter(status__in=states.OPEN_SUBMISSIONS).values("status")
    counts = dict.fromkeys(states.OPEN_SUBMISSIONS, 0.0)
    counts |= {row["status"]: float(row["n"]) for row in open_.annotate(n=Count("id"))}
    return _by("status", "open_requests", "requests to carriers under way", counts)


def _reports() -> GaugeMetricFamily:
    waiting = Report.objects.filter(status__in=(states.NEW, states.PARKED)).values("status")
    counts = {states.NEW: 0.0, states.PARKED: 0.0}
    counts |= {row["status"]: float(row["n"]) for row in waiting.annotate(n=Count("id"))}
    return _by("status", "reports", "delivery reports not applied yet", counts)


def _stopped() -> GaugeMetricFamily:
    stopped = CarrierState.objects.filter(paused_at__isnull=False)
    values = dict.fromkeys(stopped.values_list("carrier", flat=True), 1.0)
    return _by("carrier", "carrier_stopped", "1 for a carrier that a person must resume", values)
