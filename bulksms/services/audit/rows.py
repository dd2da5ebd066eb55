"""Messages and their replaced attempts: state, money and the carrier's word fit together."""

from __future__ import annotations

from bulksms import db, states
from bulksms.services.audit.query import Query, cases
from bulksms.services.audit.tables import (
    ATTEMPTS,
    CAMPAIGNS,
    ENTRIES,
    FINAL,
    HOLDS,
    MESSAGES,
    PAID,
    REFUNDS,
    TRIES,
    among,
)

#: A resend of an unknown message takes its money along: the attempt that it replaces cost nothing.
_TAKEN_OVER = (
    f"(which <> '' AND status = '{states.UNKNOWN}' AND charge = '{states.NONE}'"
    " AND cost_micros = 0 AND hold_id IS NULL)"
)

COST = Query(
    "message",
    db.UUID_,
    f"""
    SELECT id, 'costs ' || cost_micros || ', not ' || units || ' x ' || unit_price_micros || which
      AS what
    FROM {TRIES} WHERE cost_micros <> units * unit_price_micros AND NOT {_TAKEN_OVER}
    """,
)

_FITS = " OR ".join(
    [
        _TAKEN_OVER,
        f"(charge = '{states.HELD}' AND status = '{states.DELIVERED}' AND attempt > 1)",
        *(
            f"(charge = '{charge}' AND status IN {among(fitting)})"
            for charge, fitting in states.CHARGE_STATES.items()
        ),
    ]
)
_WRONG, _WORDS = cases(
    {
        f"NOT ({_FITS})": "status || ' and ' || charge",
        f"charge <> '{states.NONE}' AND hold_id IS NULL": "charge || ' without a hold'",
        f"charge IN {PAID} AND captured_micros <> cost_micros": (
            "charge || ', captured ' || captured_micros || ' of ' || cost_micros"
        ),
        f"charge NOT IN {PAID} AND captured_micros <> 0": (
            "charge || ', yet captured ' || captured_micros"
        ),
        f"(charge = '{states.REFUNDED}') <> (refunded_micros <> 0) AND cost_micros > 0": (
            "charge || ', refunded ' || refunded_micros"
        ),
    }
)
CHARGE = Query(
    "message", db.UUID_, f"SELECT id, {_WORDS} || which AS what FROM {TRIES} WHERE {_WRONG}"
)

_REFUND = "'refunded ' || refunded_micros || ' of captured ' || captured_micros"
REFUND = Query(
    "message",
    db.UUID_,
    f"SELECT id, {_REFUND} || which AS what FROM {TRIES} WHERE refunded_micros > captured_micros",
)
HOLD_REFUND = Query(
    "hold",
    db.INT,
    f"SELECT id, {_REFUND} AS what FROM {HOLDS} WHERE refunded_micros > captured_micros",
)
REFUND_ROW = Query(
    "message",
    db.UUID_,
    f"""
    SELECT t.id, CASE WHEN r.paid_at IS NULL
        THEN 'refunded ' || refunded_micros || ', and no refund was paid'
        ELSE 'refunded ' || refunded_micros || ', its refund paid ' || r.amount_micros
      END || which AS what
    FROM {TRIES} LEFT JOIN {REFUNDS} AS r ON r.message_id = t.id AND r.attempt = t.attempt
    WHERE refunded_micros <> CASE WHEN r.paid_at IS NULL THEN 0 ELSE r.amount_micros END
    """,
)

# Accepted by a carrier, and nobody paid. Three ways to be right: nobody knows yet; the deadline
# gave the money of an unknown back (its ledger key says so) before the carrier's word came, if it
# came; the word was about an older attempt, which is paid. A later attempt keeps the `sent_at` of
# the first acceptance, so that only the carrier's id speaks of it.
_BY_DEADLINE = f"""EXISTS (
  SELECT 1 FROM {ENTRIES} AS e WHERE e.hold_id = t.hold_id
  AND (e.key LIKE 'release:end-%%' OR e.key LIKE 'release:late:%%'))"""
_BY_OLDER = f"""EXISTS (
  SELECT 1 FROM {ATTEMPTS} AS a
  WHERE a.message_id = t.id AND a.attempt < t.attempt AND a.late_status <> '')"""
PAID_FOR = Query(
    "message",
    db.UUID_,
    f"""
    SELECT id, CASE charge
        WHEN '{states.RELEASED}' THEN 'taken by the carrier and released, by no deadline'
        ELSE 'taken by the carrier and ' || charge END || which AS what
    FROM {TRIES}
    WHERE (carrier_ref <> '' OR (sent_at IS NOT NULL AND attempt = 1))
      AND cost_micros > 0 AND charge NOT IN {PAID}
      AND NOT (charge = '{states.HELD}'
               AND status IN ('{states.UNKNOWN}', '{states.UNCONFIRMED}'))
      AND NOT (charge = '{states.RELEASED}' AND ({_BY_DEADLINE} OR {_BY_OLDER}))
    """,
)

CAPTURED_FOR = Query(
    "message",
    db.UUID_,
    f"""
    SELECT id, CASE WHEN asked_at IS NULL THEN charge || ', and no carrier was asked'
        ELSE charge || ', and no carrier took it' END || which AS what
    FROM {TRIES}
    WHERE charge IN {PAID} AND (asked_at IS NULL
      OR (sent_at IS NULL AND carrier_ref = '' AND status <> '{states.UNCONFIRMED}'))
    """,
)

# A carrier without reports ends its messages in `sent`, so that one state may be either.
_WRONG, _WORDS = cases(
    {
        f"status IN {FINAL} AND done_at IS NULL": "status || ' and not done'",
        f"status NOT IN {FINAL} AND status <> '{states.SENT}' AND done_at IS NOT NULL": (
            "status || ' and done'"
        ),
    }
)
DONE = Query("message", db.UUID_, f"SELECT id, {_WORDS} AS what FROM {MESSAGES} WHERE {_WRONG}")

_WRONG, _WORDS = cases(
    {
        "c.id IS NULL": "'its campaign is missing'",
        "m.hold_id IS NOT NULL AND h.id IS NULL": "'its hold is missing'",
    }
)
PARENTS = Query(
    "message",
    db.UUID_,
    f"""
    SELECT m.id, {_WORDS} AS what
    FROM {MESSAGES} AS m LEFT JOIN {CAMPAIGNS} AS c ON c.id = m.campaign_id
    LEFT JOIN {HOLDS} AS h ON h.id = m.hold_id WHERE {_WRONG}
    """,
)
_WRONG, _WORDS = cases(
    {
        "m.id IS NULL": "'its message is missing'",
        "a.hold_id IS NOT NULL AND h.id IS NULL": "'its hold is missing'",
        "a.attempt >= m.attempt": "'it replaces a later attempt'",
    }
)
ATTEMPT_PARENTS = Query(
    "attempt",
    db.INT,
    f"""
    SELECT a.id, {_WORDS} AS what
    FROM {ATTEMPTS} AS a LEFT JOIN {MESSAGES} AS m ON m.id = a.message_id
    LEFT JOIN {HOLDS} AS h ON h.id = a.hold_id WHERE {_WRONG}
    """,
)
