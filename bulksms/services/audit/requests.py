"""Requests in flight: a row that is being asked for belongs to a request that is open."""

from __future__ import annotations

import datetime as dt

from bulksms import conf, db, states
from bulksms.services.audit.holds import slack
from bulksms.services.audit.query import Query, cases
from bulksms.services.audit.tables import MESSAGES, SUBMISSIONS, among

_OPEN = f"s.status IN {among(states.OPEN_SUBMISSIONS)}"

_WRONG, _WORDS = cases(
    {
        "s.id IS NULL": "'sending without a submission'",
        f"NOT ({_OPEN})": "'sending, its submission is ' || s.status",
    }
)
SENDING = Query(
    "message",
    db.UUID_,
    f"""
    SELECT m.id, {_WORDS} AS what
    FROM {MESSAGES} AS m LEFT JOIN {SUBMISSIONS} AS s ON s.id = m.submission_id
    WHERE m.status = '{states.SENDING}' AND ({_WRONG})
    """,
)

# The ids are a JSON list of strings: two quotation marks each, in both databases.
_IDS = "CAST(s.message_ids AS text)"
_ASKED = f"""((length({_IDS}) - length(replace({_IDS}, '"', ''))) / 2)"""
_CARRYING = f"""
  SELECT submission_id, count(*) AS n FROM {MESSAGES}
  WHERE status = '{states.SENDING}' GROUP BY submission_id
"""
OWNED = Query(
    "submission",
    db.UUID_,
    f"""
    SELECT s.id, 'open for ' || {_ASKED} || ' messages, carried by ' || coalesce(m.n, 0) AS what
    FROM {SUBMISSIONS} AS s LEFT JOIN ({_CARRYING}) AS m ON m.submission_id = s.id
    WHERE {_OPEN} AND {_ASKED} <> coalesce(m.n, 0)
    """,
)


def _abandoned_since(now: dt.datetime) -> tuple[dt.datetime]:
    return (now - slack() - dt.timedelta(seconds=conf.settings.LEASE_S),)


ABANDONED = Query(
    "submission",
    db.UUID_,
    f"""
    SELECT s.id, 'open, and its lease is long over' AS what
    FROM {SUBMISSIONS} AS s WHERE {_OPEN} AND s.lease_until < %s
    """,
    _abandoned_since,
)
