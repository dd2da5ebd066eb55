"""System checks: every wrong or missing setting has an id and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection, router
from django.db import Error as DatabaseError

from bulksms import clock, conf, faults
from bulksms.models import Message
from bulksms.services import limits, refunds, routing

Check = Callable[..., list[checks.CheckMessage]]


def broker_is_configured() -> bool:
    """Whether the host chose a broker; without one dramatiq would silently pick a RabbitMQ."""
    return bool(getattr(django_settings, "DRAMATIQ_BROKER", None))


def register() -> None:
    """Register all checks of this module."""
    for check in (
        check_broker,
        check_settings,
        check_limits,
        check_router,
        check_time_zones,
        check_clock,
        check_carriers,
        check_refunds,
        check_timeouts,
        check_database,
        check_broker_options,
        check_tick,
    ):
        checks.register(check, "bulksms")
    for check in (check_broker_survives, check_idle_transactions, check_simulated):
        checks.register(check, "bulksms", deploy=True)


def check_broker(**_: Any) -> list[checks.CheckMessage]:
    if broker_is_configured():
        return []
    hint = "Set DRAMATIQ_BROKER and put 'django_dramatiq' before 'bulksms' in INSTALLED_APPS."
    return [
        checks.Error("No broker is configured; nothing would be sent.", hint, id="bulksms.E001")
    ]


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    return [checks.Error(fault.what, fault.hint, id=fault.id) for fault in faults.found()]


def _if_sound(check: Check) -> Check:
    """A check that uses the settings: it has nothing to say while they are wrong in themselves."""

    @wraps(check)
    def wrapped(**options: Any) -> list[checks.CheckMessage]:
        return [] if faults.found() else check(**options)

    return wrapped


@_if_sound
def check_limits(**_: Any) -> list[checks.CheckMessage]:
    given = conf.settings.RATE_LIMITS
    known = ", ".join(sorted(limits.DEFAULTS))
    return [
        checks.Error(
            f"BULKSMS['RATE_LIMITS'] has a wrong entry {name!r}.",
            f"One of {known}, and a number of requests a minute or None.",
            id="bulksms.E022",
        )
        for name, value in given.items()
        if name not in limits.DEFAULTS or not (value is None or _is_count(value))
    ]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_router(**_: Any) -> list[checks.CheckMessage]:
    """All of ours is in one database: money and messages are written in one transaction."""
    for alias in {router.db_for_read(Message), router.db_for_write(Message)} - {DEFAULT_DB_ALIAS}:
        text = f"A database router sends bulksms to {alias!r}."
        hint = "Let it answer None for the app label bulksms: it needs the default database."
        return [checks.Error(text, hint, id="bulksms.E023")]
    return []


def check_time_zones(**_: Any) -> list[checks.CheckMessage]:
    if django_settings.USE_TZ:
        return []
    return [checks.Error("bulksms needs USE_TZ = True.", "Set it.", id="bulksms.E010")]


@_if_sound
def check_clock(**_: Any) -> list[checks.CheckMessage]:
    if django_settings.DEBUG or not clock.is_virtual():
        return []
    text = "BULKSMS['CLOCK'] is a clock that tests move, and DEBUG is off."
    hint = "Remove it: a live system whose time somebody else sets never expires anything."
    return [checks.Error(text, hint, id="bulksms.E011")]


@_if_sound
def check_carriers(**_: Any) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if not conf.settings.CARRIERS:
        hint = "Add one to BULKSMS['CARRIERS']; see the quickstart."
        found.append(checks.Warning("No carrier is configured.", hint, id="bulksms.W004"))
    for name in conf.settings.CARRIERS:
        try:
            routing.carrier(name)
        except (ImportError, ImproperlyConfigured, KeyError, ValueError, TypeError) as error:
            text = f"Carrier {name!r} cannot be set up: {error!r}"
            found.append(checks.Error(text, "Check BACKEND and OPTIONS.", id="bulksms.E005"))
    return found


@_if_sound
def check_simulated(**_: Any) -> list[checks.CheckMessage]:
    """(--deploy) A fake carrier takes real customers' messages and delivers none of them."""
    found: list[checks.CheckMessage] = []
    live = set(conf.settings.CARRIERS) - {conf.settings.TEST_CARRIER}
    if conf.settings.ROUTES:
        live &= set(conf.settings.ROUTES.values())
    for name in sorted(live):
        with suppress(ImportError, ImproperlyConfigured, KeyError, ValueError, TypeError):
            if routing.carrier(name).is_simulated:
                text = f"Live messages go to carrier {name!r}, which delivers nothing."
                hint = "Route them to a real one; keep this one as BULKSMS['TEST_CARRIER']."
                found.append(checks.Error(text, hint, id="bulksms.E018"))
    return found


@_if_sound
def check_refunds(**_: Any) -> list[checks.CheckMessage]:
    """A refund table is worth money to whoever can forge a report, and a typo in it costs money."""
    found: list[checks.CheckMessage] = []
    for name in conf.settings.CARRIERS:
        table = refunds.rules(name)
        for rule, action in table.items():
            if rule.partition(":")[0] not in refunds.STATES or action not in refunds.ACTIONS:
                text = f"BULKSMS['CARRIERS'][{name!r}]['REFUNDS'] has a wrong rule {rule!r}."
                known = ", ".join(sorted(refunds.STATES))
                hint = f"One of {known}, alone or as state:code; refund or keep."
                found.append(checks.Error(text, hint, id="bulksms.E020"))
        if refunds.REFUND in table.values() and not refunds.is_trusted(name):
            text = f"Carrier {name!r} refunds by reports that anybody can send."
            hint = (
                "Let it sign its reports (OPTIONS['report_secret']), or say TRUST_REPORTS: True if"
                " something in front of us authenticates them, or remove its REFUNDS."
            )
            found.append(checks.Error(text, hint, id="bulksms.E021"))
    return found


@_if_sound
def check_timeouts(**_: Any) -> list[checks.CheckMessage]:
    s = conf.settings
    if s.CONNECT_TIMEOUT_S + s.SUBMIT_TIMEOUT_S < s.LEASE_S < s.TIME_LIMIT_S:
        return []
    text = "CONNECT_TIMEOUT_S + SUBMIT_TIMEOUT_S < LEASE_S < TIME_LIMIT_S does not hold."
    hint = "A worker must not lose its lease while the carrier may still answer."
    return [checks.Error(text, hint, id="bulksms.E007")]


def check_database(**_: Any) -> list[checks.CheckMessage]:
    if connection.vendor == "postgresql":
        return []
    if connection.vendor != "sqlite":
        text = f"bulksms runs on PostgreSQL or SQLite, not on {connection.vendor}."
        hint = "Use one of these two as DATABASES['default']."
        return [checks.Error(text, hint, id="bulksms.E008")]
    options = connection.settings_dict.get("OPTIONS", {})
    is_wal = "journal_mode=wal" in str(options.get("init_command", "")).lower().replace(" ", "")
    if options.get("transaction_mode") == "IMMEDIATE" and is_wal:
        return []
    text = "SQLite without transaction_mode IMMEDIATE and WAL fails under concurrent writers."
    hint = "DATABASES['default']['OPTIONS'] = {'transaction_mode': 'IMMEDIATE', 'init_command':" \
        " 'PRAGMA journal_mode=WAL;'}"  # fmt: skip
    return [checks.Warning(text, hint, id="bulksms.W009")]


# The broker


def _broker() -> tuple[str, dict[str, Any], set[str]]:
    """(class, options, middleware) of the configured broker."""
    given = getattr(django_settings, "DRAMATIQ_BROKER", None) or {}
    return (
        str(given.get("BROKER", "")), dict(given.get("OPTIONS", {})),
        {str(path).rpartition(".")[2] for path in given.get("MIDDLEWARE", ())},
    )  # fmt: skip


def check_broker_options(**_: Any) -> list[checks.CheckMessage]:
    """What is slow or dangerous wherever it runs."""
    if not broker_is_configured():
        return []
    name, options, middleware = _broker()
    found: list[checks.CheckMessage] = []
    configure = "Use bulksms.brokers.configure_redis(url) or configure_rabbitmq(url)."
    if name == "dramatiq.brokers.redis.RedisBroker" and "maintenance_chance" not in options:
        text = "dramatiq's RedisBroker with its defaults may never redeliver, and hangs for ever."
        found.append(checks.Warning(text, configure, id="bulksms.W030"))
    if name == "dramatiq.brokers.rabbitmq.RabbitmqBroker" and not options.get("confirm_delivery"):
        text = "RabbitmqBroker without confirm_delivery drops messages silently."
        found.append(checks.Warning(text, configure, id="bulksms.W030"))
    if "AdminMiddleware" in middleware:
        text = "django_dramatiq's AdminMiddleware makes every nudge several times slower."
        found.append(checks.Warning(text, "Take it out of MIDDLEWARE.", id="bulksms.W031"))
    if missing := {"TimeLimit", "DbConnectionsMiddleware"} - middleware:
        text = f"DRAMATIQ_BROKER['MIDDLEWARE'] lacks {', '.join(sorted(missing))}."
        hint = "Take the list bulksms.brokers.MIDDLEWARE."
        found.append(checks.Warning(text, hint, id="bulksms.W032"))
    return found


def check_broker_survives(**_: Any) -> list[checks.CheckMessage]:
    """(--deploy) A broker inside the process is for trying."""
    name, _options, _middleware = _broker()
    if not name.endswith("StubBroker"):
        return []
    text = "The broker is a StubBroker: web servers and workers cannot share it."
    hint = "DRAMATIQ_BROKER = bulksms.brokers.configure_rabbitmq(url)"
    return [checks.Warning(text, hint, id="bulksms.W033")]


@_if_sound
def check_tick(**_: Any) -> list[checks.CheckMessage]:
    s = conf.settings
    if 2 * s.TICK_S <= s.TICK_LEASE_S:
        return []
    text = "TICK_LEASE_S must be at least twice TICK_S."
    hint = "Or the tick moves from worker to worker at every beat."
    return [checks.Error(text, hint, id="bulksms.E034")]


def check_idle_transactions(**_: Any) -> list[checks.CheckMessage]:
    """(--deploy) A frozen process must not keep its locks for ever."""
    if connection.vendor != "postgresql":
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            (value,) = cursor.fetchone()
    except DatabaseError:  # not there while the settings are checked: nothing to say
        return []
    if value != "0":
        return []
    text = "PostgreSQL's idle_in_transaction_session_timeout is off for our user."
    hint = (
        "A process that is frozen inside a transaction keeps its locks. DATABASES['default']"
        "['OPTIONS']['options'] = '-c idle_in_transaction_session_timeout=10000'"
    )
    return [checks.Warning(text, hint, id="bulksms.W035")]
