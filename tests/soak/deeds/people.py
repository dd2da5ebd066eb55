"""Who may send, who must not be texted, and what persons decide."""

from __future__ import annotations

import pytest

from bulksms import states
from bulksms.exceptions import AuthenticationFailed
from bulksms.models import Message, SenderId
from bulksms.services import keys, organisations, rerouting, resolving, stops, suppression
from tests.soak.deeds.registry import deed, houses, integers, may_be_refused, one_of, ours, which
from tests.soak.world import PEOPLE, SENDERS, World

people = integers(0, 6)
senders = one_of(SENDERS)


@deed(owner=one_of([None, 0, 1]), person=people)
def suppress(world: World, owner: int | None, person: int) -> None:
    """STOP: from now on nothing more goes to this number but what has left."""
    number = PEOPLE[person][1]
    organisation = None if owner is None else world.organisation(owner)
    suppression.suppress([number], organisation=organisation, reason="STOP")
    on_their_way = Message.objects.filter(
        number=number, status__in=(states.SENDING, states.UNKNOWN)
    )
    if organisation is not None:
        on_their_way = on_their_way.filter(organisation=organisation)
    who = (None if organisation is None else organisation.pk, number)
    world.suppressed.setdefault(who, on_their_way.count())
    world.note("number suppressed")


@deed(owner=one_of([None, 0, 1]), person=people, weight=3)
def lift(world: World, owner: int | None, person: int) -> None:
    number = PEOPLE[person][1]
    organisation = None if owner is None else world.organisation(owner)
    suppression.lift([number], organisation=organisation)
    world.suppressed.pop((None if organisation is None else organisation.pk, number), None)


@deed(owner=ours, name=senders)
def revoke_sender(world: World, owner: int, name: str) -> None:
    organisations.register_sender(world.organisation(owner), name, status=SenderId.STATUS.revoked)
    world.note("sender revoked")


@deed(owner=ours, name=senders, weight=2)
def approve_sender(world: World, owner: int, name: str) -> None:
    organisations.register_sender(world.organisation(owner), name)


@deed(owner=ours)
def change_key(world: World, owner: int) -> None:
    """A new key works, the revoked one works no more, and no other tenant's is touched."""
    organisation = world.organisation(owner)
    row, text = world.api_keys[owner].pop()
    assert keys.authenticate(text).organisation_id == organisation.pk
    keys.revoke(row)
    with pytest.raises(AuthenticationFailed):
        keys.authenticate(text)
    world.api_keys[owner].append(keys.create(organisation))
    other, others = world.api_keys[1 - owner][0]
    assert keys.authenticate(others).pk == other.pk
    world.note("key revoked")


@deed(house=one_of(["main", "second", "*"]))
def stop(world: World, house: str) -> None:
    stops.stop(house, actor="soak", why="a bad day")
    world.note("carrier stopped by a person")


@deed(house=one_of(["main", "second", "*"]), weight=3)
def resume_carrier(world: World, house: str) -> None:
    stops.resume(house, actor="soak")


@deed(index=which, outcome=one_of(sorted(resolving.OUTCOMES)), weight=2)
def decide(world: World, index: int, outcome: str) -> None:
    """A person, who may be wrong, says what became of an unknown message."""
    unknown = list(resolving.unknown_messages().values_list("id", flat=True))
    if unknown:
        chosen = unknown[index % len(unknown)]
        rows = resolving.unknown_messages(message_ids=[chosen])
        world.decided.add(chosen)
        assert resolving.decide(rows, outcome, actor="soak", why="a guess") == 1
        world.note(f"unknown resolved: a person says {outcome}")


@deed(old=houses, new=houses)
def reroute(world: World, old: str, new: str) -> None:
    with may_be_refused(world):
        moved = rerouting.reroute(old, new, actor="soak")
        world.note("rerouted", moved)
