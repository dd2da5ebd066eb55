"""Carriers: what they took, by their own books, and what they must not be asked for."""

from __future__ import annotations

from collections import Counter

from bulksms import states
from tests.soak.checks.money import PAID
from tests.soak.checks.step import Step, reference, split


def no_reference_is_accepted_twice(step: Step) -> None:
    """Promise 1: asked once per attempt, over all carriers (I4)."""
    twice = [ref for ref, times in step.world.accepted.items() if times > 1]
    assert not twice, f"accepted twice: {twice}"
    assert not any(house.duplicates for house in step.world.houses.values())


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
