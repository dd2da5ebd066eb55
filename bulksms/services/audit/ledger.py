"""Wallets and the ledger: every balance is the sum of its movements, no movement is missing."""

from __future__ import annotations

from collections.abc import Iterable

from bulksms import db
from bulksms.models.wallet import AVAILABLE, FUNDING, MOVEMENTS, OF_A_DEBT, OF_A_HOLD, OWED
from bulksms.services.audit.query import Query, cases, unequal
from bulksms.services.audit.tables import ENTRIES, HOLDS, WALLETS

#: What an entry changes in its wallet's balance. Money that is owed was lent: it came from there.
CHANGE = (
    f"CASE '{AVAILABLE}' WHEN target THEN amount_micros WHEN source THEN -amount_micros ELSE 0 END"
)
OWED_CHANGE = (
    f"CASE '{OWED}' WHEN source THEN amount_micros WHEN target THEN -amount_micros ELSE 0 END"
)

_WRONG, _WORDS = unequal(
    {name: (f"w.{name}_micros", f"coalesce(e.{name}, 0)") for name in ("available", "owed")},
    "its entries",
)
WALLET_SUM = Query(
    "wallet",
    db.INT,
    f"""
    SELECT w.id, {_WORDS} AS what
    FROM {WALLETS} AS w
    LEFT JOIN (
      SELECT wallet_id, sum({CHANGE}) AS available, sum({OWED_CHANGE}) AS owed
      FROM {ENTRIES} GROUP BY wallet_id
    ) AS e ON e.wallet_id = w.id
    WHERE {_WRONG}
    """,
)

WALLET_LIMIT = Query(
    "wallet",
    db.INT,
    f"""
    SELECT id, 'available ' || available_micros || ', credit ' || credit_limit_micros AS what
    FROM {WALLETS} WHERE available_micros < -credit_limit_micros
    """,
)

#: seq 1, 2, 3, ... of a wallet, and each balance follows from the one before.
CHAIN = Query(
    "ledger entry",
    db.INT,
    f"""
    SELECT id, CASE WHEN seq <> seq_before + 1 THEN 'seq ' || seq || ' follows ' || seq_before
      ELSE 'balance ' || after || ' follows ' || before || ' by a movement of ' || change
      END AS what
    FROM (
      SELECT id, seq, available_after_micros AS after, {CHANGE} AS change,
        coalesce(lag(seq) OVER chain, 0) AS seq_before,
        coalesce(lag(available_after_micros) OVER chain, 0) AS before
      FROM {ENTRIES} WHERE seq IS NOT NULL WINDOW chain AS (PARTITION BY wallet_id ORDER BY seq)
    ) AS numbered
    WHERE seq <> seq_before + 1 OR after <> before + change
    """,
)

OWED_CHAIN = Query(
    "ledger entry",
    db.INT,
    f"""
    SELECT id, 'owed ' || after || ' follows ' || before || ' by a movement of ' || change AS what
    FROM (
      SELECT id, owed_after_micros AS after, {OWED_CHANGE} AS change,
        coalesce(lag(owed_after_micros) OVER (PARTITION BY wallet_id ORDER BY seq), 0) AS before
      FROM {ENTRIES} WHERE owed_after_micros IS NOT NULL
    ) AS numbered
    WHERE after <> before + change
    """,
)

CAPTURE_CHAIN = Query(
    "ledger entry",
    db.INT,
    f"""
    SELECT id, 'capture ' || hold_seq || ' follows ' || seq_before AS what
    FROM (
      SELECT id, hold_seq,
        coalesce(lag(hold_seq) OVER (PARTITION BY hold_id ORDER BY hold_seq), 0) AS seq_before
      FROM {ENTRIES} WHERE hold_seq IS NOT NULL
    ) AS numbered
    WHERE hold_seq <> seq_before + 1
    """,
)


def _last_of_chain(noun: str, table: str, owner: str, seq: str) -> Query:
    """The chain's owner knows its last number: a chain cut off at its end would have no gap."""
    sql = f"""
    SELECT w.id, 'last seq ' || w.last_seq || ', its entries end at ' || coalesce(e.last, 0) AS what
    FROM {table} AS w
    LEFT JOIN (SELECT {owner}, max({seq}) AS last FROM {ENTRIES} GROUP BY {owner}) AS e
      ON e.{owner} = w.id
    WHERE w.last_seq <> coalesce(e.last, 0)
    """
    return Query(noun, db.INT, sql)


CHAIN_END = _last_of_chain("wallet", WALLETS, "wallet_id", "seq")
CAPTURE_CHAIN_END = _last_of_chain("hold", HOLDS, "hold_id", "hold_seq")


def _one_of(movements: Iterable[tuple[str, str]]) -> str:
    return " OR ".join(
        f"(e.source = '{source}' AND e.target = '{target}')" for source, target in movements
    )


_WRONG, _WORDS = cases(
    {
        f"NOT ({_one_of(MOVEMENTS)})": "'no such movement'",
        "e.amount_micros <= 0": "'moves nothing'",
        f"({_one_of(OF_A_HOLD)}) <> (h.id IS NOT NULL)": "'of a hold or not, against its kind'",
        "h.wallet_id <> e.wallet_id": "'its hold is of another wallet'",
        f"({_one_of(OF_A_DEBT)}) <> (e.owed_after_micros IS NOT NULL)": (
            "'tells what is owed or not, against its kind'"
        ),
        f"(e.source = '{AVAILABLE}' AND e.target = '{FUNDING}') <> (r.id IS NOT NULL)": (
            "'takes a top-up back or not, against its kind'"
        ),
        "r.wallet_id <> e.wallet_id OR r.amount_micros <> e.amount_micros": (
            "'takes back another top-up than it says'"
        ),
    }
)
ENTRIES_FIT = Query(
    "ledger entry",
    db.INT,
    f"""
    SELECT e.id, {_WORDS} AS what
    FROM {ENTRIES} AS e LEFT JOIN {HOLDS} AS h ON h.id = e.hold_id
    LEFT JOIN {ENTRIES} AS r ON r.id = e.reverses_id WHERE {_WRONG}
    """,
)

ONCE_PER_KEY = Query(
    "ledger entry",
    db.INT,
    f"""
    SELECT max(id) AS id, count(*) || ' movements with one key' AS what
    FROM {ENTRIES} GROUP BY wallet_id, key HAVING count(*) > 1
    """,
)
