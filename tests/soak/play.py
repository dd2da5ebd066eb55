"""Playing an example: each deed, then every invariant; at the end everything must come to rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from bulksms import states
from bulksms.models import Campaign, Hold, Message, Submission
from bulksms.services import audit, control, reconcile, settlement, stops
from bulksms.services.settlement import Move
from bulksms.testing import drain, virtual_clock
from tests.soak import watch
from tests.soak.checks.step import Step
from tests.soak.deeds import DEEDS, engine
from tests.soak.deeds.carriers import RULES
from tests.soak.deeds.registry import integers, may_be_refused, one_of
from tests.soak.invariants import INVARIANTS
from tests.soak.watch import PreparedAudit
from tests.soak.world import Start, World

#: Jumps after which everything must be over: expiry, report deadline, refunds, and once more.
LAST_HOURS = (1, 49, 73, 73, 1, 1)
#: Tries every move that the table forbids; it is no deed of the world.
FORBIDDEN = "try_forbidden"
#: A deed and what it was given.
Happened = tuple[str, dict[str, Any]]

#: What an example begins with.
STARTS = {
    "seed": integers(1, 1_000_000),
    "max_batch": integers(1, 5),
    "window": integers(1, 3),
    "parts_per_second": one_of([None, None, 2, 10]),
    "at_deadline": one_of(["capture", "release"]),
    "balance": one_of([0, 5, 20, 100]),
    "behaviour": one_of(["", *sorted(RULES)]),
}


def opening(start: Start) -> Iterator[Happened]:
    """So that there is something to break from the first step on."""
    if start.behaviour:
        for house in ("main", "second"):
            yield "behave", {"house": house, "rules": [[start.behaviour, None]]}
    if start.balance:
        for owner in (0, 1):
            yield "top_up", {"owner": owner, "amount": start.balance, "twice": False}
        pairs = [[0, 0], [3, 2], [4, 0], [5, 0]]
        yield "send_personalised", {
            "owner": 0, "pairs": pairs, "named": False, "hours": 0, "reject": False,
        }  # fmt: skip


class Player:
    """One example, in a transaction that is rolled back."""

    def __init__(self, start: Start, audit: PreparedAudit) -> None:
        self.world = World(start)
        self._audit = audit
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self.world.open()
        self._was = watch.take()
        watch.moves()

    def close(self) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)
        self.world.close()

    def do(self, name: str, /, **given: Any) -> None:
        """One deed, and every invariant after it."""
        if name == FORBIDDEN:
            self.try_forbidden()
            return
        world = self.world
        world.log.append((name, given))
        world.actor, world.nothing_may_change = None, False
        DEEDS[name].work(world, **given)
        self.check(name)
        world.note("steps")
        world.note(f"deed: {name}")

    def check(self, name: str) -> None:
        world = self.world
        records = []
        for carrier, house in world.houses.items():
            for record in house.new_records():
                records.append((carrier, record))
                world.accepted[record.client_ref] += record.status == "accepted"
        step = Step(world, name, self._was, watch.take(), records, watch.moves())
        for invariant in INVARIANTS:
            invariant(step)
        faults = self._audit.faults()
        assert not faults, faults
        self._count(step)
        self._was = step.now

    def _count(self, step: Step) -> None:
        note = self.world.note
        for (noun, old, new), times in step.moves.items():
            note(f"{noun}: {old} -> {new}", times)
            if old == "unknown" and step.deed != "decide":
                note(f"unknown resolved: {new}", times)
        for id_, row in step.now.messages.items():
            if (old_row := step.was.messages.get(id_)) is not None:
                self._count_message(old_row, row)
        for key, hold in step.now.holds.items():
            before = step.was.holds.get(key)
            waits = before is not None and before.release_due_at is None
            note("release waited for its wallet", waits and hold.release_due_at is not None)
        for key, attempt in step.now.attempts.items():
            known = step.was.attempts.get(key)
            was_late = known is not None and bool(known.late_status)
            note("late report after a retry", bool(attempt.late_status) and not was_late)

    def _count_message(self, old: Message, row: Message) -> None:
        note, same_attempt = self.world.note, row.attempt == old.attempt
        for before, after, word in (
            ("captured", "refunded", "refunded"),
            ("held", "released", "released"),
            ("held", "captured", "captured"),
        ):
            note(word, (old.charge, row.charge) == (before, after))
        if not same_attempt or old.status == row.status:
            return
        note("unconfirmed corrected", old.status == "unconfirmed")

    # Every forbidden move

    def try_forbidden(self) -> None:
        """Every move that the table forbids, for every row that is there: refused, all of them."""
        self.world.log.append((FORBIDDEN, {}))
        self.world.actor, self.world.nothing_may_change = None, True
        rows = list(Message.objects.order_by("id"))
        campaigns = {row.campaign_id for row in rows}
        for new in states.MESSAGE_STATES:
            moves = [Move(row.id, new) for row in rows if new not in _ALLOWED.get(row.status, ())]
            with transaction.atomic():
                done = settlement.apply(moves, campaigns, key="forbidden", now=self.world.now)
            assert not done.counts, f"{done.counts} were moved to {new}"
            for pair in {(row.status, new) for row in rows}:
                if pair[1] not in _ALLOWED.get(pair[0], ()):
                    self.world.note(f"forbidden: {pair[0]} -> {pair[1]}")
        self.check(FORBIDDEN)

    # The end

    def finish(self) -> None:
        """Nothing waits for ever: with people and carriers back at work, all comes to rest (I6)."""
        world = self.world
        world.actor, world.nothing_may_change = None, False
        for index in range(len(world.frozen)):
            engine.thaw(world, index) if index % 2 else world.frozen.pop()
        for house in world.houses.values():
            house.set_rules([])
            house.transport.down = False
        self._let_go()
        for hours in LAST_HOURS:
            drain()
            virtual_clock.advance(hours=hours)
            for house in world.houses.values():
                house.transport.pump()
            reconcile.tick_once()
            self._let_go()
        drain()
        reconcile.tick_once()
        self.check("finish")
        self._all_is_over()
        world.note("references accepted", len(world.accepted))
        world.note("accepted twice", sum(house.duplicates for house in world.houses.values()))
        world.note("examples")

    def _let_go(self) -> None:
        for name in (*self.world.houses, stops.EVERYTHING):
            stops.resume(name, actor="soak")
        for campaign in Campaign.objects.filter(status=states.PAUSED):
            with may_be_refused(self.world):
                control.resume(campaign.organisation, campaign.pk)
        self.world.nothing_may_change = False

    def _all_is_over(self) -> None:
        assert not Message.objects.filter(done_at=None).exists(), "a message waits for ever"
        assert not Campaign.objects.filter(finished_at=None).exists()
        assert not Submission.objects.filter(status__in=states.OPEN_SUBMISSIONS).exists()
        assert not Hold.objects.filter(closed_at=None).exists(), "money waits for ever"
        assert [str(fault) for fault in audit.faults()] == []


_ALLOWED = {
    "queued": ("sending", "cancelled", "expired", "failed"),
    "sending": ("sent", "queued", "failed", "unknown"),
    "sent": ("delivered", "undelivered", "expired", "rejected", "unconfirmed"),
    "unknown": (
        "sent", "delivered", "undelivered", "expired", "rejected", "failed", "unconfirmed",
        "queued",
    ),
    "unconfirmed": ("delivered", "undelivered", "expired", "rejected"),
}  # fmt: skip
