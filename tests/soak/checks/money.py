"""Money: none appears or vanishes, and nothing is sent unpaid."""

from __future__ import annotations

from collections import Counter

from tests.soak.checks.step import Step, split

PAID = ("captured", "refunded")


def every_balance_is_the_sum_of_its_entries(step: Step) -> None:
    """No money appears or vanishes, and nobody spends beyond the limit (I1)."""
    for purse in step.now.wallets.values():
        said = (purse.available_micros, purse.owed_micros)
        assert said == step.now.ledger.get(purse.pk, (0, 0))
        limit = purse.credit_limit_micros
        assert limit is None or purse.available_micros >= -limit, "below its limit"


def what_is_held_is_held_for_open_rows(step: Step) -> None:
    """Every hold is what its rows say: held, paid, given back, each share once (I2, I3, I20)."""
    cost: Counter[int] = Counter()
    held: Counter[int] = Counter()
    paid: Counter[int] = Counter()
    for row in (*step.now.messages.values(), *step.now.attempts.values()):
        assert row.cost_micros in (row.units * row.unit_price_micros, 0)
        if row.hold_id is not None:
            cost[row.hold_id] += row.cost_micros
            held[row.hold_id] += row.cost_micros if row.charge == "held" else 0
            paid[row.hold_id] += row.captured_micros
            assert row.captured_micros == (row.cost_micros if row.charge in PAID else 0)
    for hold in step.now.holds.values():
        assert hold.held_micros == cost[hold.pk], "not what its rows cost"
        left = hold.held_micros - hold.captured_micros - hold.released_micros
        assert (left, hold.captured_micros) == (held[hold.pk], paid[hold.pk])


def what_was_cancelled_costs_nothing(step: Step) -> None:
    """A cancelled message was never taken, and its money is back or on its way back."""
    for row in step.now.messages.values():
        if row.status == "cancelled":
            assert row.captured_micros == 0
            waits = row.hold_id is not None and step.now.holds[row.hold_id].release_due_at
            assert row.charge == "released" or (row.charge == "held" and waits), row.charge


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
