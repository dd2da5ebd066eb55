"""The dashboard: what its page and its two parts show. The parts are asked for again and again."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from bulksms import money as amounts
from bulksms.admin import charts
from bulksms.services import insights, overview

#: Seconds between two looks: at what changes at once, and at the last hour.
NUMBERS_S, CHARTS_S = 3, 10


def context(part: str, *, money: bool) -> dict[str, Any] | None:
    """What to show; ``money``: balances too. None = there is no such part."""
    match part:
        case "":
            every = {"numbers_s": NUMBERS_S, "charts_s": CHARTS_S}
            return {**every, **_numbers(money), **_hour()}
        case "numbers":
            return _numbers(money)
        case "charts":
            return _hour()
    return None


def _numbers(money: bool) -> dict[str, Any]:
    found = [finding for finding in overview.findings() if finding.level != "ok"]
    # A finding is a sentence; those about money all name the wallet.
    shown = found if money else [finding for finding in found if "wallet" not in finding.what]
    low = insights.low_balances() if money else []
    return {
        "now": insights.now(),
        "findings": shown,
        "low": [(row, amounts.sentence(row.left_micros, row.currency)) for row in low],
        "shows_money": money,
    }


def _hour() -> dict[str, Any]:
    hour = insights.minutes()
    chart = charts.per_minute(
        hour.starts, hour.series, line=insights.SENT, zone=timezone.get_current_timezone(),
        stacked=(insights.DELIVERED, insights.FAILED, insights.UNKNOWN),
    )  # fmt: skip
    carriers = insights.carriers()
    slowest = max((row.p95_s or 0 for row in carriers), default=0)
    longest = max((row.queued for row in carriers), default=0)
    bars = [
        {
            "row": row,
            "rate": charts.scaled(row.rate, 100),
            "p50": charts.scaled(row.p50_s, slowest),
            "p95": charts.scaled(row.p95_s, slowest),
            "queue": charts.scaled(row.queued, longest),
            "oldest": span(row.oldest_s),
        }
        for row in carriers
    ]
    return {"chart": chart, "totals": hour.totals, "carriers": bars}


def span(seconds: int | None) -> str:
    """ "3 min" for people."""
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3600} h"
