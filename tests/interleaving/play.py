"""Playing the schedules of a pair: a fresh world each time, then the pair's own check, the oracle
and the audit."""

from __future__ import annotations

from django.db import connection

from bulksms.models import (
    Campaign,
    CarrierState,
    Hold,
    LedgerEntry,
    Message,
    MessageAttempt,
    Rate,
    Report,
    Run,
    SenderId,
    Share,
    Submission,
    Wallet,
)
from bulksms.testing import virtual_clock
from tests.harness import fake_carrier
from tests.interleaving.explorer import Actor, Schedule, play, schedules
from tests.interleaving.pairs import OPTIONS, PAIRS, RULES, check_end


def explore(name: str, *, preemptions: int, every: int = 1, only: str = "") -> int:
    """Play the schedules of a pair; returns how many. Raises AssertionError for a wrong one.

    ``every``: only each N-th of them. ``only``: this one, as a failure names it.
    """
    steps = max(len_of(play_once(name, Schedule(who))) for who in (0, 1))
    played = 0
    for number, schedule in enumerate(schedules(steps, preemptions)):
        if number % every or (only and str(schedule) != only):
            continue
        play_once(name, schedule)
        played += 1
    return played


def len_of(actors: list[Actor]) -> int:
    return sum(len(actor.statements) for actor in actors)


def play_once(name: str, schedule: Schedule) -> list[Actor]:
    virtual_clock.reset()
    _empty()
    with fake_carrier(rules=RULES.get(name, ()), **OPTIONS.get(name, {})) as house:
        one, other, check = PAIRS[name](house)
        actors = play((one, other), schedule)
        try:
            for actor in actors:
                if actor.error is not None:
                    raise actor.error
            check_end(house)
            check()
        except BaseException as error:
            error.add_note(
                f"{name}, schedule {schedule}: python -m tests.interleaving"
                f" {name.replace(' ', '-')} {schedule}"
            )
            raise
    return actors


_TABLES = (
    LedgerEntry, Message, MessageAttempt, Report, Run, Submission, Hold, Campaign, CarrierState,
    Wallet, Rate, SenderId, Share,
)  # fmt: skip


def _empty() -> None:
    tables = ", ".join(model._meta.db_table for model in _TABLES)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")
