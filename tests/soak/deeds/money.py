"""Operators and money."""

from __future__ import annotations

from bulksms.services import organisations, wallet
from tests.soak.deeds.registry import deed, integers, may_be_refused, one_of, ours, which, yes_or_no
from tests.soak.world import PRICE, World

units = integers(1, 12)


@deed(owner=ours, amount=units, twice=yes_or_no, weight=2)
def top_up(world: World, owner: int, amount: int, twice: bool) -> None:
    """The same payment told twice is one payment."""
    organisation, key = world.organisation(owner), f"payment-{world.next_number()}"
    for _ in range(1 + twice):
        wallet.top_up(organisation, amount * PRICE, key=key)
    world.top_ups[organisation.pk].append(key)


@deed(owner=ours, index=which)
def reverse(world: World, owner: int, index: int) -> None:
    """A payment bounces; what is gone is owed."""
    organisation = world.organisation(owner)
    if keys := world.top_ups[organisation.pk]:
        key = keys.pop(index % len(keys))
        wallet.reverse_top_up(organisation, key, key=key)
        world.note("reversal")
        world.note("reversal beyond the balance", wallet.of(organisation).owed_micros > 0)


@deed(owner=ours, amount=one_of([-6, -3, -1, 1, 2, 6]))
def adjust(world: World, owner: int, amount: int) -> None:
    key = f"adjustment-{world.next_number()}"
    with may_be_refused(world):
        wallet.adjust(world.organisation(owner), amount * PRICE, key=key, note="soak")


@deed(owner=ours, price=one_of([0, 1, PRICE // 2, PRICE, 3 * PRICE]))
def change_rate(world: World, owner: int, price: int) -> None:
    """From now on; what was accepted keeps its price."""
    organisation = world.organisation(owner)
    if world.now not in world.rates[organisation.pk]:  # rates are history: one for each moment
        organisations.set_rate(price, currency="KES", organisation=organisation, at=world.now)
        world.rates[organisation.pk][world.now] = price


@deed(owner=ours, cap=one_of([None, *range(0, 13)]))
def change_cap(world: World, owner: int, cap: int | None) -> None:
    wallet.set_spend_cap(world.organisation(owner), None if cap is None else cap * PRICE)


@deed(owner=ours, limit=one_of([None, *range(0, 7)]))
def change_credit(world: World, owner: int, limit: int | None) -> None:
    with may_be_refused(world):
        wallet.set_credit_limit(world.organisation(owner), None if limit is None else limit * PRICE)
