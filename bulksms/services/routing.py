"""Which carrier takes which number, and the carrier objects themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from bulksms import conf
from bulksms.carriers.base import Carrier
from bulksms.models import Organisation
from bulksms.models.organisations import TEST

_replaced: dict[str, Carrier] = {}


def carrier(name: str) -> Carrier:
    """The carrier configured under ``name``. Raises ImproperlyConfigured."""
    return _replaced.get(name) or _build(name)


@lru_cache(maxsize=64)
def _build(name: str) -> Carrier:
    try:
        entry: Mapping[str, Any] = conf.settings.CARRIERS[name]
    except KeyError:
        raise ImproperlyConfigured(
            f"BULKSMS['CARRIERS'] has no carrier {name!r}. Add it, or move its messages away."
        ) from None
    built = import_string(entry["BACKEND"])(name, entry.get("OPTIONS", {}))
    if not isinstance(built, Carrier):
        raise ImproperlyConfigured(f"{entry['BACKEND']} is no bulksms carrier")
    return built


def forget(**changed: Any) -> None:
    """Build carriers anew (settings changed, worker shutdown)."""
    if changed.get("setting", "BULKSMS") == "BULKSMS":
        _build.cache_clear()


@contextmanager
def replaced(other: Carrier) -> Iterator[None]:
    """Let ``other`` stand in for the configured carrier of its name (tests)."""
    before = _replaced.get(other.name)
    _replaced[other.name] = other
    try:
        yield
    finally:
        if before is None:
            del _replaced[other.name]
        else:
            _replaced[other.name] = before


setting_changed.connect(forget, dispatch_uid="bulksms_forget_carriers")


def names() -> list[str]:
    """All configured carriers."""
    return list(conf.settings.CARRIERS)


def route(number: str, organisation: Organisation) -> str:
    """The carrier for ``number`` (E.164 digits): longest prefix of ROUTES; "" = none takes it."""
    return router(organisation)(number)


def router(organisation: Organisation) -> Callable[[str], str]:
    """:func:`route` for many numbers: the settings are read once."""
    routes = conf.settings.ROUTES
    if organisation.mode == TEST:
        routes = {"": conf.settings.TEST_CARRIER}
    elif not routes:
        routes = {"": next(iter(conf.settings.CARRIERS), "")}
    if set(routes) == {""}:
        everywhere = routes[""]
        return lambda _number: everywhere
    prefixes = tuple(routes)

    def find(number: str) -> str:
        prefix = _longest(number, prefixes)
        return "" if prefix is None else routes[prefix]

    return find


@lru_cache(maxsize=4)
def _by_length(prefixes: tuple[str, ...]) -> tuple[tuple[int, frozenset[str]], ...]:
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    return tuple((n, frozenset(p for p in prefixes if len(p) == n)) for n in lengths)


def _longest(number: str, prefixes: tuple[str, ...]) -> str | None:
    for length, those in _by_length(prefixes):
        if number[:length] in those:
            return number[:length]
    return None
