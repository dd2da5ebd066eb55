"""The settings: one dict, ``BULKSMS``, read live; every key, its type and its default stand here.

``conf.settings.MAX_PARTS`` reads ``settings.BULKSMS["MAX_PARTS"]`` each time, so that
``override_settings`` works and nothing goes stale. Wrong values are system-check errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from django.conf import settings as django_settings


@dataclass(frozen=True)
class Settings:
    """Typed defaults. Times are in the unit their name ends with; money is in micros."""

    #: name -> {"BACKEND": dotted path, "OPTIONS": {...}}
    CARRIERS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: number prefix -> carrier name, longest wins, "" = all others; empty = the first carrier.
    ROUTES: Mapping[str, str] = field(default_factory=dict)
    #: The carrier alias that organisations in test mode use.
    TEST_CARRIER: str = ""
    #: The house organisation: who sends when no organisation is named. Made by ``migrate``.
    ORGANISATION: Mapping[str, Any] = field(default_factory=dict)
    #: Dotted path of the clock object.
    CLOCK: str = "bulksms.clock.system"

    #: Limit -> requests a minute, None = no limit; what is not named keeps its default
    #: (``services.limits.DEFAULTS``).
    RATE_LIMITS: Mapping[str, int | None] = field(default_factory=dict)
    #: In one request; more are refused.
    MAX_RECIPIENTS: int = 10_000
    #: Rows of an organisation that nobody pays for, on one day; None = no limit.
    MAX_UNFUNDED_A_DAY: int | None = 100_000
    #: SMS parts of one text; a longer one is refused.
    MAX_PARTS: int = 10
    #: How far ahead a message may be scheduled.
    MAX_SCHEDULE_DAYS: int = 180
    #: ``priority: high`` is for a few urgent messages, not for campaigns.
    HIGH_PRIORITY_MAX_RECIPIENTS: int = 100
    #: Of a request to the API.
    MAX_BODY_BYTES: int = 16 * 1024 * 1024
    #: Of a carrier's callback.
    MAX_REPORT_BODY_BYTES: int = 1024 * 1024
    #: Delivery reports in one callback.
    MAX_REPORTS_PER_CALL: int = 1_000
    #: Reports of one carrier that may wait for a message to match; above it no more are taken.
    MAX_PARKED_REPORTS: int = 100_000

    #: What an answer may take to come; past it the messages of that request are ``unknown``.
    SUBMIT_TIMEOUT_S: float = 30.0
    #: What a connection to a carrier may take; past it nothing was sent.
    CONNECT_TIMEOUT_S: float = 5.0
    #: How long a worker owns a submission. Longer than connect + submit time-out.
    LEASE_S: float = 60.0
    #: dramatiq's limit for one actor run. Longer than the lease.
    TIME_LIMIT_S: float = 120.0
    #: A queued message that was not sent by then expires (seconds after it was due).
    EXPIRY_S: int = 48 * 3600
    #: A sent message without a final report becomes ``unconfirmed`` after this time.
    REPORT_DEADLINE_S: int = 72 * 3600
    #: What becomes of the money of an ``unknown`` message at that deadline: capture | release.
    UNKNOWN_AT_DEADLINE: str = "capture"
    #: The longest that a sender waits for a wallet that another transaction holds.
    WALLET_LOCK_TIMEOUT_S: float = 5.0

    #: How long after every deadline the audit waits before it calls a row or a hold overdue.
    AUDIT_SLACK_S: int = 3600

    #: How often the tick looks for due and lost work.
    TICK_S: float = 1.0
    #: After so long without a beat another worker takes the tick over. At least twice ``TICK_S``.
    TICK_LEASE_S: float = 10.0
    #: The longest that ``queues.wake`` may take, whatever the broker does.
    WAKE_TIMEOUT_S: float = 0.4
    #: After a failed nudge, none is tried for this long; the tick does the work meanwhile.
    WAKE_PAUSE_S: float = 5.0


HOUSE_DEFAULTS: Mapping[str, Any] = {
    "name": "House",
    "slug": "house",
    "currency": "KES",
    "region": "KE",
    "time_zone": "Africa/Nairobi",
    "sender_id": "",
}

NAMES = frozenset(f.name for f in fields(Settings))
DEFAULTS = Settings()


class _Live:
    def __getattr__(self, name: str) -> Any:
        if name not in NAMES:
            raise AttributeError(f"bulksms has no setting {name!r}")
        given = getattr(django_settings, "BULKSMS", {})
        # What is no dict is told by a system check; until then the defaults hold.
        return (given if isinstance(given, dict) else {}).get(name, getattr(DEFAULTS, name))


settings = cast(Settings, _Live())


def house() -> Mapping[str, Any]:
    """The house organisation's settings, defaults filled in."""
    return {**HOUSE_DEFAULTS, **settings.ORGANISATION}
