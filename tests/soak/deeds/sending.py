"""Requests of every mixture, each compared with the reference (reference.py)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum
from hypothesis import strategies as st

from bulksms import send_bulk, send_sms, states
from bulksms.exceptions import IdempotencyMismatch, PaymentRequired
from bulksms.models import Hold, Organisation, Suppression, Wallet
from bulksms.services.sending import BulkResult
from tests.soak.deeds.registry import deed, may_be_refused, ours
from tests.soak.reference import Wanted, expected
from tests.soak.world import PEOPLE, PRICE, SENDERS, TEXTS, World

people = st.integers(0, len(PEOPLE) - 1)
texts = st.integers(0, len(TEXTS) - 1)
#: Idempotency keys live for so long.
KEY_LIFE = dt.timedelta(hours=24)


class Undone(Exception):
    """The host changes its mind."""


@deed(
    owner=ours, audience=st.lists(people, min_size=1, max_size=7), text=texts,
    hours=st.sampled_from([0, 0, 0, 2, 40]), high=st.booleans(),
    max_cost=st.none() | st.none() | st.integers(0, 8), reject=st.booleans(),
    sender=st.sampled_from([None, None, *SENDERS]), key=st.none() | st.integers(0, 2),
    undo=st.sampled_from([False, False, False, True]),
)  # fmt: skip
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
    owner=ours, pairs=st.lists(st.tuples(people, texts), min_size=1, max_size=5),
    named=st.booleans(), hours=st.sampled_from([0, 0, 2]), reject=st.booleans(),
)  # fmt: skip
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


@deed(owner=ours, person=people, text=texts)
def send_single(world: World, owner: int, person: int, text: int) -> None:
    organisation = world.organisation(owner)
    answer = _expected(world, organisation, [(person, text)])[0]
    with may_be_refused(world):
        row = send_sms(PEOPLE[person][0], TEXTS[text][0], organisation=organisation)
        assert row.error_detail == "" or row.error != ""
        assert (row.status == states.QUEUED) == (not answer[0]), (row.status, answer)


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
            assert known is not None and known[0] != request
            raise
        except PaymentRequired:
            over = request["max_cost"] is not None and held > request["max_cost"] * PRICE
            short = any(error in _NO_MONEY for error, _ in answers)
            assert over or (short and request["on_insufficient_funds"] == "reject")
            raise
        if known is not None:
            assert result.replayed and (known[0], known[1]) == (request, result.id)
            world.nothing_may_change = True
            world.note("repeated with its idempotency key")
            return
        _compare(world, result, answers, len(pairs))
        if key is not None:
            world.keys[slot] = (request, result.id, world.now)


_NO_MONEY = ("insufficient_balance", "spend_cap_reached")


def _compare(
    world: World, result: BulkResult, answers: list[tuple[str, int]], asked: int
) -> None:
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
    price = world.prices[organisation.pk]
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
