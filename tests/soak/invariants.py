"""What must hold after every step. Each function raises AssertionError; its first sentence says
what it protects. The fake carriers' books, never the app's own opinion, judge what was sent.

The numbers are those of the project's list of invariants (I1-I20).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from bulksms import states
from bulksms.models import Message
from simulator.engine.messages import Record
from tests.soak.watch import Snapshot
from tests.soak.world import World

#: Written down once more, apart from bulksms/states.py: every move that a message may ever make.
MESSAGE_MOVES = frozenset(
    (old, new)
    for old, news in {
        "queued": "sending cancelled expired failed delivered",
        "sending": "sent queued failed unknown",
        "sent": "delivered undelivered expired rejected unconfirmed",
        "unknown": "sent delivered undelivered expired rejected failed unconfirmed queued",
        "unconfirmed": "delivered undelivered expired rejected queued",
        "skipped": "queued",
        "failed": "queued",
        "undelivered": "queued",
        "expired": "queued",
        "rejected": "queued",
    }.items()
    for new in news.split()
)
SUBMISSION_MOVES = frozenset({
    ("claimed", "submitting"), ("claimed", "lost"), ("submitting", "recorded"),
    ("submitting", "lost"), ("lost", "recorded"),
})  # fmt: skip
OPEN = ("queued", "sending", "sent", "unknown")
PAID = ("captured", "refunded")


class Request(NamedTuple):
    """A request as it was claimed."""

    carrier: str
    at: dt.datetime
    messages: list[Message]


@dataclass
class Step:
    """One step: the world after it, all rows before and after, what the carriers decided in it."""

    world: World
    deed: str
    was: Snapshot
    now: Snapshot
    records: Sequence[tuple[str, Record]]
    moves: Counter[tuple[str, str, str]]

    def new_requests(self) -> list[Request]:
        """Every request that was claimed in this step, its messages as they are now."""
        return [
            Request(
                row.carrier, row.created_at,
                [self.now.messages[UUID(text)] for text in row.message_ids],
            )
            for id_, row in self.now.submissions.items()
            if id_ not in self.was.submissions
        ]  # fmt: skip


def reference(message_id: object, attempt: int) -> str:
    return str(message_id) if attempt == 1 else f"{message_id}-{attempt}"


def split(text: str) -> tuple[UUID, int]:
    return UUID(text[:36]), int(text[37:] or 1)


def every_balance_is_the_sum_of_its_entries(step: Step) -> None:
    """No money appears or vanishes, and nobody spends beyond the limit (I1)."""
    for purse in step.now.wallets.values():
        said = (purse.available_micros, purse.owed_micros)
        assert said == step.now.ledger.get(purse.pk, (0, 0))
        limit = purse.credit_limit_micros
        assert limit is None or purse.available_micros >= -limit, "below its limit"


def what_is_held_is_held_for_open_rows(step: Step) -> None:
    """Every hold is what its rows say: held, paid, given back, each share once (I2, I3, I20)."""
    held: Counter[int] = Counter()
    paid: Counter[int] = Counter()
    for row in (*step.now.messages.values(), *step.now.attempts.values()):
        assert row.cost_micros in (row.units * row.unit_price_micros, 0)
        if row.hold_id is not None:
            held[row.hold_id] += row.cost_micros if row.charge == "held" else 0
            paid[row.hold_id] += row.captured_micros
            assert row.captured_micros == (row.cost_micros if row.charge in PAID else 0)
    for hold in step.now.holds.values():
        left = hold.held_micros - hold.captured_micros - hold.released_micros
        assert (left, hold.captured_micros) == (held[hold.pk], paid[hold.pk])


def price_and_text_are_frozen(step: Step) -> None:
    """What was accepted is sent and charged as accepted, whatever changes later (I12)."""
    for id_, old in step.was.messages.items():
        row = step.now.messages[id_]
        assert (row.text, row.sender, row.campaign_id) == (old.text, old.sender, old.campaign_id)
        if row.attempt == old.attempt and old.hold_id is not None and row.hold_id == old.hold_id:
            assert (row.units, row.unit_price_micros, row.number) == (
                old.units, old.unit_price_micros, old.number,
            )  # fmt: skip
    for id_, before in step.was.campaigns.items():
        assert step.now.campaigns[id_].message == before.message


def no_reference_is_accepted_twice(step: Step) -> None:
    """Promise 1: asked once per attempt, over all carriers (I4)."""
    twice = [ref for ref, times in step.world.accepted.items() if times > 1]
    assert not twice, f"accepted twice: {twice}"
    assert not any(house.duplicates for house in step.world.houses.values())


def nothing_is_sent_unpaid(step: Step) -> None:
    """What a carrier takes belongs to a funded attempt, as long and to whom it says (I5, I16)."""
    attempts = {(row.message_id, row.attempt): row for row in step.now.attempts.values()}
    for carrier, record in step.records:
        if record.status != "accepted":
            continue
        id_, attempt = split(record.client_ref)
        message = step.now.messages[id_]
        row = message if message.attempt == attempt else attempts[id_, attempt]
        taken_over = row is not message and row.hold_id is None and row.status == "unknown"
        assert taken_over or (row.hold_id is not None and row.charge != "none"), "sent unpaid"
        assert record.parts == row.units, "charged other parts than the carrier took"
        assert record.to == message.number
        assert row.carrier == carrier or row.status == "queued"


def every_row_is_counted_once(step: Step) -> None:
    """Queued, failed, skipped and the rest are the input; the counters say so (I8)."""
    rows: dict[UUID, Counter[str]] = defaultdict(Counter)
    for message in step.now.messages.values():
        rows[message.campaign_id][states.COUNTERS[message.status]] += 1
        rows[message.campaign_id]["done_count"] += message.done_at is not None
    for id_, campaign in step.now.campaigns.items():
        counts = rows[id_]
        assert campaign.recipients_count == counts.total() - counts["done_count"]
        for column in (*states.COUNTERS.values(), "done_count"):
            assert getattr(campaign, column) == counts[column], column
        is_over = campaign.done_count == campaign.recipients_count
        assert (campaign.finished_at is not None) == is_over
        assert is_over == (campaign.status in ("completed", "cancelled"))
    assert set(step.was.messages) <= set(step.now.messages), "a row is gone"


def only_allowed_moves_were_made(step: Step) -> None:
    """Final states do not go back, and no state is jumped over (I7); the database saw each move."""
    for noun, old, new in step.moves:
        allowed = MESSAGE_MOVES if noun == "message" else SUBMISSION_MOVES
        assert (old, new) in allowed, f"{noun}: {old} -> {new}"
    for id_, old_row in step.was.messages.items():
        row = step.now.messages[id_]
        assert row.attempt >= old_row.attempt
        final = old_row.status not in OPEN and old_row.status != "unconfirmed"
        if final and row.status != old_row.status and old_row.hold_id is not None:
            assert row.attempt > old_row.attempt, (
                f"{old_row.status} -> {row.status}, no new attempt"
            )


def nothing_waits_that_a_carrier_has(step: Step) -> None:
    """What may leave again, or never left, was not accepted: no second copy, no free one (I18)."""
    for row in step.now.messages.values():
        if row.id in step.world.decided:
            continue
        in_queue = row.status == "expired" and row.error == "expired_in_queue"
        refused = row.status == "failed" and row.submission_id is not None
        if row.status in ("queued", "cancelled") or in_queue or refused:
            sent = step.world.accepted[reference(row.id, row.attempt)]
            assert not sent, f"{row.status} {row.error}, and a carrier has it"


def what_counts_as_sent_was_sent(step: Step) -> None:
    """Sent, reported on and paid for means: a carrier really took it."""
    for row in (*step.now.messages.values(), *step.now.attempts.values()):
        id_ = getattr(row, "message_id", None) or row.id
        by_deadline = row.status == "unconfirmed" and row.error == "no_answer"
        is_late = row.status == "delivered" and row.attempt > 1 and row.asked_at is None
        if id_ in step.world.decided or by_deadline:
            continue
        expired_here = row.status == "expired" and row.error == "expired_in_queue"
        if row.charge in PAID or (row.status in states.ACCEPTED and not expired_here):
            attempts = range(1, row.attempt + 1)
            taken = [step.world.accepted[reference(id_, number)] for number in attempts]
            assert any(taken) if row.status == "delivered" or is_late else taken[-1], (
                f"{row.status}, {row.charge}: no carrier took it"
            )


def nobody_is_texted_after_stop(step: Step) -> None:
    """Once STOP is stored, nothing more goes to that number but what had left (I11)."""
    for _, record in step.records:
        if record.status != "accepted":
            continue
        message = step.now.messages[split(record.client_ref)[0]]
        for who in ((None, message.number), (message.organisation_id, message.number)):
            if who in step.world.suppressed:
                step.world.suppressed[who] -= 1
                assert step.world.suppressed[who] >= 0, "texted after STOP"


def a_tenant_changes_its_own_rows_only(step: Step) -> None:
    """What one organisation does changes no row of the other (I13)."""
    if step.world.actor is None:
        return
    was, now = step.was.by_organisation(), step.now.by_organisation()
    for organisation in step.world.organisations:
        if organisation.pk != step.world.actor:
            assert was.get(organisation.pk) == now.get(organisation.pk)


def a_refusal_changes_nothing(step: Step) -> None:
    """Refused, rolled back, repeated or forged: it left no trace (I9, I10, I14)."""
    if step.world.nothing_may_change:
        assert step.was.by_organisation() == step.now.by_organisation()
        assert not step.moves
        assert not step.records


def requests_stay_within_window_and_pace(step: Step) -> None:
    """No carrier is asked for more at once, or faster, than it declared (I17)."""
    start = step.world.start
    taken: Counter[str] = Counter()
    for row in step.now.submissions.values():
        if row.status in ("claimed", "submitting"):
            assert 1 <= row.slot <= start.window
            taken[row.carrier] += 1
        assert len(row.message_ids) <= start.max_batch
    assert all(count <= start.window for count in taken.values())
    if start.parts_per_second is None:
        return
    asked = step.world.asked
    for request in step.new_requests():
        if request.carrier == "main":
            asked.append((request.at, sum(row.units for row in request.messages)))
    asked.sort()
    rate, longest = start.parts_per_second, 4
    for first, (begin, _) in enumerate(asked):
        parts = 0
        for at, more in asked[first:]:
            parts += more
            most = rate * (at - begin).total_seconds() + max(rate / 2, 1) + longest
            assert parts <= most, "faster than its pace"


def nothing_leaves_that_must_not(step: Step) -> None:
    """Paused, cancelled, not yet due, expired, sender revoked: none of it is in a new request."""
    for request in step.new_requests():
        for row in request.messages:
            old = step.was.campaigns.get(row.campaign_id)
            campaign = step.now.campaigns[row.campaign_id]
            if old is not None:
                assert not (old.status == campaign.status == "paused"), "asked for while paused"
                assert old.cancelled_at is None or campaign.cancelled_at is None, "cancelled"
            if campaign.scheduled_at is not None and campaign.round == 0:
                assert campaign.started_at is None or campaign.started_at >= campaign.scheduled_at
            sender = (row.organisation_id, row.sender or campaign.sender)
            assert sender in step.now.senders or sender in step.was.senders, "sender revoked"


INVARIANTS: Sequence[Callable[[Step], None]] = (
    every_balance_is_the_sum_of_its_entries,
    what_is_held_is_held_for_open_rows,
    price_and_text_are_frozen,
    no_reference_is_accepted_twice,
    nothing_is_sent_unpaid,
    every_row_is_counted_once,
    only_allowed_moves_were_made,
    nothing_waits_that_a_carrier_has,
    what_counts_as_sent_was_sent,
    nobody_is_texted_after_stop,
    a_tenant_changes_its_own_rows_only,
    a_refusal_changes_nothing,
    requests_stay_within_window_and_pace,
    nothing_leaves_that_must_not,
)
