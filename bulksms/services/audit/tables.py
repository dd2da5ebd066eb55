"""What the checks read: the tables by short names, and every funded try of every message."""

from __future__ import annotations

from bulksms import states
from bulksms.models import (
    Campaign,
    Hold,
    IdempotencyKey,
    LedgerEntry,
    Message,
    MessageAttempt,
    Organisation,
    Refund,
    Run,
    Submission,
    Wallet,
)

ATTEMPTS = MessageAttempt._meta.db_table
CAMPAIGNS = Campaign._meta.db_table
ENTRIES = LedgerEntry._meta.db_table
HOLDS = Hold._meta.db_table
KEYS = IdempotencyKey._meta.db_table
MESSAGES = Message._meta.db_table
ORGANISATIONS = Organisation._meta.db_table
REFUNDS = Refund._meta.db_table
RUNS = Run._meta.db_table
SUBMISSIONS = Submission._meta.db_table
WALLETS = Wallet._meta.db_table

_TRY = (
    "attempt, hold_id, units, unit_price_micros, cost_micros, charge, captured_micros,"
    " refunded_micros, status, carrier_ref, asked_at, sent_at, done_at"
)

#: The current try of each message and the replaced ones. ``id`` is the message's; ``which`` ends a
#: sentence about it.
TRIES = f"""(
  SELECT id, '' AS which, {_TRY} FROM {MESSAGES}
  UNION ALL
  SELECT message_id, ' (replaced attempt ' || attempt || ')', {_TRY} FROM {ATTEMPTS}
) AS t"""


def among(values: frozenset[str] | tuple[str, ...]) -> str:
    """``('a', 'b')``: a list of our own words in SQL."""
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


FINAL = among(states.FINAL)
PAID = among((states.CAPTURED, states.REFUNDED))
