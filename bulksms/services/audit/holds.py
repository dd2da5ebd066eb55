"""Holds: what was set aside, paid and given back is what the ledger and the messages say."""

from __future__ import annotations

import datetime as dt

from bulksms import conf, db, states
from bulksms.models.wallet import AVAILABLE, HELD, SPENT
from bulksms.services.audit.query import Query, cases, unequal
from bulksms.services.audit.tables import CAMPAIGNS, ENTRIES, HOLDS, TRIES


def _moved(source: str, target: str) -> str:
    amount = f"CASE WHEN source = '{source}' AND target = '{target}' THEN amount_micros ELSE 0 END"
    return f"CAST(sum({amount}) AS bigint)"


_WRONG, _WORDS = unequal(
    {name: (f"h.{name}_micros", f"coalesce(e.{name}, 0)")
     for name in ("held", "captured", "released", "refunded")},
    "its entries",
)  # fmt: skip
LEDGER_SUM = Query(
    "hold",
    db.INT,
    f"""
    SELECT h.id, {_WORDS} AS what
    FROM {HOLDS} AS h
    LEFT JOIN (
      SELECT hold_id, {_moved(AVAILABLE, HELD)} AS held, {_moved(HELD, SPENT)} AS captured,
        {_moved(HELD, AVAILABLE)} AS released, {_moved(SPENT, AVAILABLE)} AS refunded
      FROM {ENTRIES} WHERE hold_id IS NOT NULL GROUP BY hold_id
    ) AS e ON e.hold_id = h.id
    WHERE {_WRONG}
    """,
)

# Retention deletes rows, and writes what they came to beside: `rows_*_micros`.
PRICE_SUM = Query(
    "hold",
    db.INT,
    f"""
    SELECT h.id,
      'held ' || h.held_micros || ', units x price of its rows '
        || (coalesce(r.price, 0) + coalesce(h.rows_price_micros, 0)) AS what
    FROM {HOLDS} AS h
    LEFT JOIN (
      SELECT hold_id, CAST(sum(units * unit_price_micros) AS bigint) AS price
      FROM {TRIES} WHERE hold_id IS NOT NULL GROUP BY hold_id
    ) AS r ON r.hold_id = h.id
    WHERE h.held_micros <> coalesce(r.price, 0) + coalesce(h.rows_price_micros, 0)
    """,
)

_WRONG, _WORDS = unequal(
    {name: (f"h.{name}_micros", f"(coalesce(r.{name}, 0) + coalesce(h.rows_{name}_micros, 0))")
     for name in ("captured", "released", "refunded")},
    "its rows",
)  # fmt: skip
ROWS_SUM = Query(
    "hold",
    db.INT,
    f"""
    SELECT h.id, {_WORDS} AS what
    FROM {HOLDS} AS h
    LEFT JOIN (
      SELECT hold_id, CAST(sum(captured_micros) AS bigint) AS captured,
        CAST(sum(CASE charge WHEN '{states.RELEASED}' THEN cost_micros ELSE 0 END) AS bigint)
          AS released,
        CAST(sum(refunded_micros) AS bigint) AS refunded
      FROM {TRIES} WHERE hold_id IS NOT NULL GROUP BY hold_id
    ) AS r ON r.hold_id = h.id
    WHERE {_WRONG}
    """,
)

# A free row (price zero) may wait under a hold that was closed from the start.
_LEFT = "h.held_micros - h.captured_micros - h.released_micros"
_WRONG, _WORDS = cases(
    {
        f"h.closed_at IS NULL AND {_LEFT} = 0": "'open, and nothing is held'",
        f"h.closed_at IS NOT NULL AND {_LEFT} <> 0": f"'closed with ' || ({_LEFT}) || ' in it'",
        "h.closed_at IS NULL AND r.waiting IS NULL": "'open without an open row'",
        "h.closed_at IS NOT NULL AND r.waiting > 0": "'closed with open rows: ' || r.waiting",
        "h.release_due_at IS NULL AND r.ended > 0": "'ended rows wait for no release: ' || r.ended",
    }
)
OPEN_ROWS = Query(
    "hold",
    db.INT,
    f"""
    SELECT h.id, {_WORDS} AS what
    FROM {HOLDS} AS h
    LEFT JOIN (
      SELECT hold_id, count(*) AS waiting, count(done_at) AS ended
      FROM {TRIES} WHERE charge = '{states.HELD}' AND cost_micros > 0 GROUP BY hold_id
    ) AS r ON r.hold_id = h.id
    WHERE {_WRONG}
    """,
)


def slack() -> dt.timedelta:
    """What the tick may be late before the audit says so."""
    return dt.timedelta(seconds=conf.settings.AUDIT_SLACK_S)


def _limits(now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Campaigns that expired, and holds made, before these moments are all settled by now."""
    reported = now - slack() - dt.timedelta(seconds=conf.settings.REPORT_DEADLINE_S)
    return reported, reported - dt.timedelta(seconds=conf.settings.EXPIRY_S)


TOO_OLD = Query(
    "hold",
    db.INT,
    f"""
    SELECT h.id, 'open past expiry and report deadline of its rows' AS what
    FROM {HOLDS} AS h JOIN {CAMPAIGNS} AS c ON c.id = h.campaign_id
    WHERE h.closed_at IS NULL AND {_LEFT} > 0 AND c.expires_at < %s AND h.created_at < %s
    """,
    _limits,
)
