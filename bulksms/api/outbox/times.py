"""When to send, as callers of this dialect say it."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from bulksms.api import fields
from bulksms.api.fields import Faults, Values
from bulksms.exceptions import FieldError

ZONE_REQUIRED = "{} needs a time zone, e.g. 2026-01-31T08:00:00+03:00."


def timestamp(data: Values, now: dt.datetime, faults: Faults) -> dt.datetime | None:
    """``scheduleTimestamp``, with its zone. One that is past means now: None."""
    name = "scheduleTimestamp"
    moment = fields.moment(data, name, faults)
    if moment is None:
        return None
    if moment.tzinfo is None:
        faults.append(FieldError(name, "time_zone_required", ZONE_REQUIRED.format(name)))
        return None
    return moment if moment > now else None


def local(data: Values, faults: Faults) -> dt.datetime | None:
    """``scheduleTime`` as the clocks of ``timeZone`` show it, or with an offset of its own.

    An hour that those clocks skip is refused; of one that they show twice the first is meant.
    """
    moment = fields.moment(data, "scheduleTime", faults)
    name = fields.text(data, "timeZone", faults)
    if moment is None:
        if data.get("scheduleTime") is None:
            detail = "Give the scheduleTime, e.g. 2026-01-31T08:00:00, and its timeZone."
            faults.append(FieldError("scheduleTime", "required", detail))
        return None
    if moment.tzinfo is not None:
        return _with_offset(moment, name, faults)
    if name is None:
        detail = "Give the timeZone of the scheduleTime, e.g. Africa/Nairobi."
        faults.append(FieldError("timeZone", "time_zone_required", detail))
        return None
    return _in_zone(moment, name, faults)


def _with_offset(moment: dt.datetime, name: str | None, faults: Faults) -> dt.datetime | None:
    if name is None:
        return moment
    detail = "The scheduleTime has an offset: leave the offset out, or the timeZone."
    faults.append(FieldError("timeZone", "two_time_zones", detail))
    return None


def _in_zone(moment: dt.datetime, name: str, faults: Faults) -> dt.datetime | None:
    if name not in _zones():
        detail = "There is no such timeZone. Give a name such as Africa/Nairobi."
        faults.append(FieldError("timeZone", "unknown_time_zone", detail))
        return None
    try:
        aware = moment.replace(tzinfo=ZoneInfo(name), fold=0)
        shown = aware.astimezone(dt.UTC).astimezone(aware.tzinfo).replace(tzinfo=None, fold=0)
    except OverflowError:  # at the ends of the calendar
        detail = "The scheduleTime is no date that can be."
        faults.append(FieldError("scheduleTime", "invalid_datetime", detail))
        return None
    if shown != moment:
        detail = f"There is no such hour in {name}: the clocks skip it on that day."
        faults.append(FieldError("scheduleTime", "skipped_local_time", detail))
        return None
    return aware.astimezone(dt.UTC)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
