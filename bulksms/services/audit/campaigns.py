"""Campaigns: counters are counts, cost is what the rows cost, and nobody pays for another."""

from __future__ import annotations

from bulksms import db, states
from bulksms.models.organisations import LIVE, TEST
from bulksms.services.audit.query import Query, cases, unequal
from bulksms.services.audit.tables import (
    ATTEMPTS,
    CAMPAIGNS,
    HOLDS,
    KEYS,
    MESSAGES,
    ORGANISATIONS,
    RUNS,
    WALLETS,
    among,
)

# Counters

_COUNTED = {"recipients_count": "count(*)", "done_count": "count(done_at)"} | {
    column: f"count(CASE status WHEN '{status}' THEN 1 END)"
    for status, column in states.COUNTERS.items()
}
_DIFFER, _DIFFERENCES = unequal(
    {column: (f"c.{column}", f"coalesce(m.{column}, 0)") for column in _COUNTED}
    | {"sent_count": ("c.sent_count", "coalesce(m.sent_count, 0) + coalesce(a.sent_count, 0)")},
    "rows",
)
_OPEN = "c.done_count < c.recipients_count"
COUNTERS = Query(
    "campaign",
    db.UUID_,
    f"""
    SELECT c.id, CASE WHEN c.pruned_at IS NOT NULL AND m.recipients_count > 0
        THEN 'its rows were deleted, and there are ' || m.recipients_count
      WHEN c.pruned_at IS NULL AND ({_DIFFER}) THEN {_DIFFERENCES}
      WHEN {_OPEN} THEN 'finished before its rows' ELSE 'not finished with its rows' END AS what
    FROM {CAMPAIGNS} AS c
    LEFT JOIN (
      SELECT campaign_id, {", ".join(f"{sql} AS {column}" for column, sql in _COUNTED.items())},
        count(sent_at) AS sent_count
      FROM {MESSAGES} GROUP BY campaign_id
    ) AS m ON m.campaign_id = c.id
    LEFT JOIN (
      SELECT t.campaign_id, count(DISTINCT t.id) AS sent_count
      FROM {ATTEMPTS} AS old JOIN {MESSAGES} AS t ON t.id = old.message_id
      WHERE old.sent_at IS NOT NULL AND t.sent_at IS NULL GROUP BY t.campaign_id
    ) AS a ON a.campaign_id = c.id
    WHERE (c.pruned_at IS NULL AND ({_DIFFER})) OR ({_OPEN}) <> (c.finished_at IS NULL)
      OR (c.pruned_at IS NOT NULL AND m.recipients_count > 0)
    """,
)

RUN_COUNTERS = Query(
    "run",
    db.INT,
    f"""
    SELECT r.id, 'queued_count ' || r.queued_count || ', rows ' || coalesce(m.queued, 0) AS what
    FROM {RUNS} AS r
    LEFT JOIN (
      SELECT campaign_id, carrier, count(*) AS queued
      FROM {MESSAGES} WHERE status = '{states.QUEUED}' GROUP BY campaign_id, carrier
    ) AS m ON m.campaign_id = r.campaign_id AND m.carrier = r.carrier
    WHERE r.queued_count <> coalesce(m.queued, 0)
    """,
)
NO_RUN = Query(
    "message",
    db.UUID_,
    f"""
    SELECT m.id, 'queued, and no run will send it' AS what
    FROM {MESSAGES} AS m
    LEFT JOIN {RUNS} AS r ON r.campaign_id = m.campaign_id AND r.carrier = m.carrier
    WHERE m.status = '{states.QUEUED}' AND r.id IS NULL
    """,
)

# Money

_CHARGED = among((states.HELD, states.CAPTURED, states.REFUNDED))
_PAYING = f"""
  SELECT id, campaign_id, hold_id, cost_micros, refunded_micros, charge FROM {MESSAGES}
  UNION ALL
  SELECT t.id, t.campaign_id, a.hold_id, a.cost_micros, a.refunded_micros, a.charge
  FROM {ATTEMPTS} AS a JOIN {MESSAGES} AS t ON t.id = a.message_id
"""
COST = Query(
    "campaign",
    db.UUID_,
    f"""
    SELECT c.id,
      'costs ' || coalesce(h.cost, 0) || ', its rows and attempts ' || coalesce(r.cost, 0) AS what
    FROM {CAMPAIGNS} AS c
    LEFT JOIN (
      SELECT campaign_id,
        CAST(sum(held_micros - released_micros - refunded_micros) AS bigint) AS cost
      FROM {HOLDS} GROUP BY campaign_id
    ) AS h ON h.campaign_id = c.id
    LEFT JOIN (
      SELECT campaign_id, CAST(sum(cost_micros - refunded_micros) AS bigint) AS cost
      FROM ({_PAYING}
        UNION ALL
        SELECT NULL, campaign_id, id, rows_captured_micros, rows_refunded_micros,
          '{states.CAPTURED}' FROM {HOLDS} WHERE rows_captured_micros IS NOT NULL
      ) AS p WHERE charge IN {_CHARGED} GROUP BY campaign_id
    ) AS r ON r.campaign_id = c.id
    WHERE coalesce(h.cost, 0) <> coalesce(r.cost, 0)
    """,
)
PAID_BY_ITS_OWN = Query(
    "message",
    db.UUID_,
    f"""
    SELECT p.id, 'paid by a hold of another campaign' AS what
    FROM ({_PAYING}) AS p JOIN {HOLDS} AS h ON h.id = p.hold_id
    WHERE h.campaign_id <> p.campaign_id
    """,
)

CURRENCY = Query(
    "campaign",
    db.UUID_,
    f"""
    SELECT c.id, 'in ' || c.currency || ', its wallet in ' || w.currency AS what
    FROM {CAMPAIGNS} AS c JOIN {WALLETS} AS w ON w.organisation_id = c.organisation_id
    WHERE w.currency <> c.currency
    """,
)

# Tenants: an organisation and its test twin are two


def _foreign(noun: str, kind: str, table: str, *, through: str = "") -> Query:
    """Rows of ``table`` whose organisation is not their campaign's."""
    sql = f"""
    SELECT t.id, 'of another organisation than its campaign' AS what
    FROM {table} AS t JOIN {CAMPAIGNS} AS c ON c.id = t.campaign_id {through}
    WHERE {"w" if through else "t"}.organisation_id <> c.organisation_id
    """
    return Query(noun, kind, sql)


FOREIGN = (
    _foreign("message", db.UUID_, MESSAGES),
    _foreign("run", db.INT, RUNS),
    _foreign("hold", db.INT, HOLDS, through=f"JOIN {WALLETS} AS w ON w.id = t.wallet_id"),
    _foreign("idempotency key", db.INT, KEYS),
)
_WRONG, _WORDS = cases(
    {
        f"o.mode <> '{TEST}'": "'the test twin of another, and not in test mode'",
        f"l.mode <> '{LIVE}'": "'the test twin of one that is not live'",
    }
)
TWINS = Query(
    "organisation",
    db.INT,
    f"""
    SELECT o.id, {_WORDS} AS what
    FROM {ORGANISATIONS} AS o JOIN {ORGANISATIONS} AS l ON l.id = o.live_twin_id WHERE {_WRONG}
    """,
)

# Requests: once each


def _repeated(noun: str, kind: str, table: str, columns: str, where: str, what: str) -> Query:
    same = " AND ".join(f"o.{column} = t.{column}" for column in columns.split())
    sql = f"""
    SELECT t.id, '{what}' AS what FROM {table} AS t
    JOIN (SELECT {", ".join(columns.split())} FROM {table} WHERE {where}
          GROUP BY {", ".join(columns.split())} HAVING count(*) > 1) AS o ON {same}
    """
    return Query(noun, kind, sql)


ONCE = (
    _repeated(
        "campaign", db.UUID_, CAMPAIGNS, "organisation_id reference", "reference <> ''",
        "several with one reference",
    ),
    _repeated(
        "idempotency key", db.INT, KEYS, "organisation_id key", "key <> ''",
        "the same key more than once",
    ),
    _repeated(
        "idempotency key", db.INT, KEYS, "campaign_id", "campaign_id IS NOT NULL",
        "several keys of one campaign",
    ),
)  # fmt: skip
