"""Requests of every mixture, each compared with the reference (reference.py)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum

from bulksms import send_bulk, send_sms, states
from bulksms.exceptions import IdempotencyMismatch, PaymentRequired
from bulksms.models import Hold, Organisation, Suppression, Wallet
from bulksms.services.sending import BulkResult
from tests.soak.deeds.registry import (
    deed,
    integers,
    lists,
    may_be_refused,
    one_of,
    ours,
    pairs,
    yes_or_no,
)
from tests.soak.reference import Wanted, expected
from tests.soak.world import PEOPLE, PRICE, SENDERS, TEXTS, World

people = integers(0, len(PEOPLE) - 1)
texts = integers(0, len(TEXTS) - 1)
#: Idempotency keys live for so long.
KEY_LIFE = dt.timedelta(hours=24)


class Undone(Exception):
    """The host changes its mind."""


@deed(
    owner=ours, audience=lists(people, 1, 7), text=texts,
    hours=one_of([0, 0, 0, 2, 40]), high=yes_or_no,
    max_cost=one_of([None, None, *range(0, 9)]), reject=yes_or_no,
    sender=one_of([None, None, *SENDERS]), key=one_of([None, *range(0, 3)]),
    undo=one_of([False, False, False, True]),
weight=4)  # fmt: skip
def send(
    world: World, owner: int, audience: list[int], text: int, hours: int, high: bool,
    max_cost: int | None, reject: bool, sender: str | None, key: int | None, undo: bool,
) -> None:  # fmt: skip
    """One text for all."""
    request = {
        "recipients": [PEOPLE[person][0] for person in audience], "message": TEXTS[text][0],
        **_terms(world, hours, high=high, max_cost=max_cost, reject=reject, sender=sender),
    }  # fmt: skip
    pairs = [(person, text) for person in audience]
    _send(world, world.organisation(owner), request, pairs, key, undo=undo)


@deed(
    owner=ours, pairs=lists(pairs(people, texts), 1, 5),
    named=yes_or_no, hours=one_of([0, 0, 2]), reject=yes_or_no,
weight=2)  # fmt: skip
def send_personalised(
    world: World, owner: int, pairs: list[tuple[int, int]], named: bool, hours: int, reject: bool
) -> None:
    """A text for each; its own, or the common one with its variable."""
    pairs = [(person, text) for person, text in pairs]
    messages: list[dict[str, Any]] = [
        {"to": PEOPLE[person][0], "variables": {"text": TEXTS[text][0]}}
        if named
        else {"to": PEOPLE[person][0], "message": TEXTS[text][0]}
        for person, text in pairs
    ]
    request = {
        "messages": messages, "message": "{text}" if named else None,
        **_terms(world, hours, high=False, max_cost=None, reject=reject, sender=None),
    }  # fmt: skip
    _send(world, world.organisation(owner), request, pairs, None, undo=False)


@deed(owner=ours, person=people, text=texts, weight=2)
def send_single(world: World, owner: int, person: int, text: int) -> None:
    organisation = world.organisation(owner)
    answer = _expected(world, organisation, [(person, text)])[0]
    with may_be_refused(world):
        row = send_sms(PEOPLE[person][0], TEXTS[text][0], organisation=organisation)
        assert row.error_detail == "" or row.error != ""
        assert (row.status == states.QUEUED) == (not answer[0]), (row.status, answer)


@deed(owner=ours, key=integers(0, 2), weight=2)
def send_again(world: World, owner: int, key: int) -> None:
    """The caller got no answer and repeats the request with its key."""
    organisation = world.organisation(owner)
    if (known := world.keys.get((organisation.pk, key))) is not None:
        request, _, at, pairs = known
        if world.now < at + KEY_LIFE:
            _send(world, organisation, request, pairs, key, undo=False)


def _terms(
    world: World, hours: int, *, high: bool, max_cost: int | None, reject: bool, sender: str | None
) -> dict[str, Any]:
    return {
        "scheduled_at": world.now + dt.timedelta(hours=hours) if hours else None,
        "priority": "high" if high else "normal",
        "max_cost": None if max_cost is None else Decimal(max_cost),
        "on_insufficient_funds": "reject" if reject else "partial",
        "sender_id": sender,
    }


def _send(
    world: World, organisation: Organisation, request: dict[str, Any],
    pairs: list[tuple[int, int]], key: int | None, *, undo: bool,
) -> None:  # fmt: skip
    slot = (organisation.pk, -1 if key is None else key)
    known = world.keys.get(slot)
    if known is not None and world.now >= known[2] + KEY_LIFE:
        known = None
    answers = _expected(world, organisation, pairs)
    held = sum(cost for _, cost in answers)
    with may_be_refused(world):
        try:
            with transaction.atomic():
                result = send_bulk(
                    organisation=organisation, **request,
                    idempotency_key="" if key is None else f"key-{key}",
                )  # fmt: skip
                if undo:
                    raise Undone
        except Undone:
            world.note("sent in a transaction that was rolled back")
            world.nothing_may_change = True
            return
        except IdempotencyMismatch:
            assert known is not None
            assert known[0] != request
            raise
        except PaymentRequired:
            over = request["max_cost"] is not None and held > request["max_cost"] * PRICE
            short = any(error in _NO_MONEY for error, _ in answers)
            assert over or (short and request["on_insufficient_funds"] == "reject")
            raise
        if known is not None:
            assert result.replayed
            assert (known[0], known[1]) == (request, result.id)
            world.nothing_may_change = True
            world.note("repeated with its idempotency key")
            return
        _compare(world, result, answers, len(pairs))
        if key is not None:
            world.keys[slot] = (request, result.id, world.now, pairs)


_NO_MONEY = ("insufficient_balance", "spend_cap_reached")


def _compare(world: World, result: BulkResult, answers: list[tuple[str, int]], asked: int) -> None:
    """Who is queued, who is refused and why, what is held: as the reference says."""
    assert not result.replayed
    assert [draft.error for draft in result.drafts] == [error for error, _ in answers]
    assert result.total_cost_micros == sum(cost for _, cost in answers)
    assert result.queued + result.failed + result.duplicates == asked
    for error, _ in answers:
        world.note(f"intake: {error or 'queued'}")
    world.note("spend cap reached", any(e == "spend_cap_reached" for e, _ in answers))
    world.note("partial", 0 < result.queued < len(answers))


def _expected(
    world: World, organisation: Organisation, pairs: list[tuple[int, int]]
) -> list[tuple[str, int]]:
    price = world.price(organisation)
    numbers = {PEOPLE[person][1] for person, _ in pairs}
    listed = set(
        Suppression.objects.filter(Q(organisation=None) | Q(organisation=organisation))
        .filter(number__in=numbers)
        .values_list("number", flat=True)
    )
    wanted = []
    for person, text in pairs:
        written, number, refused = PEOPLE[person]
        cause = refused or ("suppressed" if number in listed else "")
        wanted.append(Wanted((number or written, text), cause, price * TEXTS[text][1]))
    purse = Wallet.objects.get(organisation=organisation)
    return expected(wanted, _balance(purse), _cap_left(world, purse))


def _balance(purse: Wallet) -> int | None:
    if purse.owed_micros:
        return 0
    limit = purse.credit_limit_micros
    return None if limit is None else purse.available_micros + limit


def _cap_left(world: World, purse: Wallet) -> int | None:
    """Nairobi's midnight is nine in the evening, UTC, all year."""
    if purse.daily_spend_cap_micros is None:
        return None
    nairobi = dt.timedelta(hours=3)
    begin = (world.now + nairobi).replace(hour=0, minute=0, second=0, microsecond=0) - nairobi
    today = Hold.objects.filter(wallet=purse, created_at__range=(begin, begin + KEY_LIFE))
    used = today.exclude(created_at=begin + KEY_LIFE).aggregate(
        sum=Sum(F("held_micros") - F("released_micros"))
    )["sum"]
    return max(purse.daily_spend_cap_micros - int(used or 0), 0)
