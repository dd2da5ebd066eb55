"""What is wrong with ``BULKSMS``, found without using it: shapes, types, ranges, names.

Checks that use the settings run only where this finds nothing, so that a typo is told as a system
check and never as a traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from bulksms import conf

CARRIER_KEYS = frozenset({"BACKEND", "OPTIONS", "REPORT_TOKEN", "REFUNDS", "TRUST_REPORTS"})
CHOICES = {"UNKNOWN_AT_DEADLINE": ("capture", "release")}


class Fault(NamedTuple):
    """One wrong setting: what is wrong, what to do, the id of its check."""

    what: str
    hint: str
    id: str


def found() -> list[Fault]:
    """Everything that is wrong with the settings as they are given."""
    given = getattr(django_settings, "BULKSMS", {})
    if not isinstance(given, dict):
        hint = "BULKSMS = {'CARRIERS': {...}, ...}; the quickstart has one to copy."
        return [Fault("BULKSMS must be a dict.", hint, "bulksms.E002")]
    faults = [
        Fault(f"BULKSMS has no setting {name!r}.", "Look for a typo.", "bulksms.E003")
        for name in sorted(set(given) - conf.NAMES, key=str)
    ]
    faults += _types(given)
    if not faults:
        faults = [*_carriers(given), *_routes(given), *_organisation(given), *_clock(given)]
    return faults


def _types(given: Mapping[str, Any]) -> Iterator[Fault]:
    hints = get_type_hints(conf.Settings)
    for setting in fields(conf.Settings):
        name = setting.name
        if name in given and (wanted := _wrong(given[name], str(hints[name]), name)):
            default = getattr(conf.DEFAULTS, name)
            text = f"BULKSMS[{name!r}] must be {wanted}, not {given[name]!r}."
            yield Fault(text, f"Leave it out for the default, {default!r}.", "bulksms.E012")


def _wrong(value: object, kind: str, name: str) -> str:
    """What ``value`` should be; "" = it is right."""
    if value is None and "None" in kind:
        return ""
    if "Mapping" in kind:
        return "" if isinstance(value, Mapping) else "a dict"
    if "str" in kind:
        choices = CHOICES.get(name)
        if choices:
            return "" if value in choices else " or ".join(map(repr, choices))
        return "" if isinstance(value, str) else "text"
    number = isinstance(value, int | float if "float" in kind else int)
    right = number and not isinstance(value, bool) and value > 0  # type: ignore[operator]
    return "" if right else "a number above 0" if "float" in kind else "a whole number above 0"


def _carriers(given: Mapping[str, Any]) -> Iterator[Fault]:
    for name, entry in given.get("CARRIERS", {}).items():
        place = f"BULKSMS['CARRIERS'][{name!r}]"
        hint = f"A dict with {', '.join(sorted(CARRIER_KEYS))}; only BACKEND is needed."
        if not isinstance(entry, Mapping) or not isinstance(entry.get("BACKEND"), str):
            yield Fault(f"{place} must be a dict with a BACKEND.", hint, "bulksms.E013")
            continue
        for key in sorted(set(entry) - CARRIER_KEYS, key=str):
            yield Fault(f"{place} has an unknown key {key!r}.", hint, "bulksms.E013")
        for key in ("OPTIONS", "REFUNDS"):
            if not isinstance(entry.get(key) or {}, Mapping):
                yield Fault(f"{place}[{key!r}] must be a dict.", hint, "bulksms.E013")


def _routes(given: Mapping[str, Any]) -> Iterator[Fault]:
    carriers = given.get("CARRIERS", {})
    for prefix, name in given.get("ROUTES", {}).items():
        place = f"BULKSMS['ROUTES'][{prefix!r}]"
        if name not in carriers:
            hint = f"Name one of BULKSMS['CARRIERS']: {', '.join(map(str, carriers))}."
            yield Fault(f"{place} names an unknown carrier {name!r}.", hint, "bulksms.E006")
        if not isinstance(prefix, str) or (prefix and not prefix.isdecimal()):
            hint = "Digits as in 254712345678, without a plus; '' stands for all others."
            yield Fault(f"{place} is no prefix of numbers.", hint, "bulksms.E015")
    twin = given.get("TEST_CARRIER", "")
    if twin and twin not in carriers:
        hint = "Name one of BULKSMS['CARRIERS'], or leave it out."
        yield Fault(f"BULKSMS['TEST_CARRIER'] names no carrier: {twin!r}.", hint, "bulksms.E016")


def _organisation(given: Mapping[str, Any]) -> Iterator[Fault]:
    house = given.get("ORGANISATION", {})
    known = f"Known are {', '.join(conf.HOUSE_DEFAULTS)}."
    for name, value in house.items():
        if name not in conf.HOUSE_DEFAULTS or not isinstance(value, str):
            text = f"BULKSMS['ORGANISATION'] has a wrong entry {name!r}."
            yield Fault(text, f"{known} All are text.", "bulksms.E014")
    currency, zone = str(house.get("currency", "KES")), str(house.get("time_zone", "UTC"))
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        text = f"BULKSMS['ORGANISATION']['currency'] is {currency!r}."
        yield Fault(text, "Three capital letters, e.g. KES.", "bulksms.E014")
    if not _is_zone(zone):
        text = f"BULKSMS['ORGANISATION']['time_zone'] is {zone!r}."
        yield Fault(text, "An IANA name, e.g. Africa/Nairobi.", "bulksms.E014")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _clock(given: Mapping[str, Any]) -> Iterator[Fault]:
    path = given.get("CLOCK", conf.DEFAULTS.CLOCK)
    try:
        import_string(path)
    except ImportError as error:
        text = f"BULKSMS['CLOCK'] cannot be imported: {error}"
        yield Fault(text, "Leave it out: the system's clock is the default.", "bulksms.E017")
