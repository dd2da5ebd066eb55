"""Rows: all are counted, none goes back, and nobody changes those of somebody else."""

from __future__ import annotations

from collections import Counter, defaultdict
from uuid import UUID

from bulksms import states
from tests.soak.checks.step import Step

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
