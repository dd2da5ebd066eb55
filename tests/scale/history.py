"""A long history, made by the database: finished campaigns with all that they leave behind.

Set-based throughout: a million messages with their reports take well under a minute. The figures
of each campaign add up as the constraints want it; nobody audits the wallets.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import connection, models

from bulksms.models import (
    Campaign,
    Hold,
    LedgerEntry,
    Message,
    MessageAttempt,
    Organisation,
    Refund,
    Report,
    Run,
    Submission,
    Suppression,
    Wallet,
)

#: Tables that grow with every message, campaign or request that was ever finished.
GROWING = (
    Message, Submission, Report, LedgerEntry, Hold, MessageAttempt, Campaign, Run, Refund,
)  # fmt: skip

PRICE = 1_000_000
CAMPAIGNS = 400
#: Of each hundred rows of a campaign; the ends differ in their money and their reports.
SHARES = {
    "delivered": 92, "undelivered": 4, "expired": 1, "unconfirmed": 1, "failed": 1, "rejected": 1,
}  # fmt: skip
#: One message of so many is a campaign of its own, as every single SMS is.
SINGLES = 50
LONG_AGO = dt.timedelta(days=90)


def grow(rows: int, owners: tuple[Organisation, Organisation], before: dt.datetime) -> None:
    """Add at least ``rows`` finished messages of the owners (four to one), all before a moment."""
    size = max(rows // CAMPAIGNS // 100 * 100, 100)
    _plan(max(rows // size, 1), size, rows // SINGLES, owners, before)
    _campaigns()
    _messages()
    _requests()
    _reports()
    _money()
    _attempts()
    _suppressed(rows // SINGLES)
    _sql("DROP TABLE past, past_message")


def analyse() -> None:
    """What autovacuum does now and then: the planner knows how large the tables are."""
    for model in (*GROWING, Suppression, Wallet, Organisation):
        _sql(f"VACUUM (ANALYZE) {model._meta.db_table}")


def empty() -> None:
    """All of it away at once, and quickly; the flush of a test would leave the files large."""
    tables = ", ".join(model._meta.db_table for model in (*GROWING, Suppression))
    _sql(f"TRUNCATE {tables} CASCADE")


def _sql(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)


def _insert(model: type[models.Model], columns: Mapping[str, str], source: str) -> None:
    """INSERT ... SELECT; columns that are not named get their model's default."""
    marks: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.column not in columns and not field.null and not field.primary_key:
            marks[field.column] = field.get_db_prep_save(field.get_default(), connection)
    names = ", ".join([*columns, *marks])
    picks = ", ".join([pick.replace("%", "%%") for pick in columns.values()] + ["%s"] * len(marks))
    table, literal = model._meta.db_table, source.replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {picks} FROM {literal}", list(marks.values())
        )


def _uuid(at: str, number: str) -> str:
    """SQL of a UUIDv7: milliseconds, then a number."""
    ms = f"lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    return f"({ms} || '70008' || lpad(to_hex(({number})::bigint), 15, '0'))::uuid"


def _plan(
    campaigns: int, size: int, singles: int, owners: tuple[Organisation, Organisation],
    before: dt.datetime,
) -> None:  # fmt: skip
    """The table ``past``: a row per campaign. Large and single ones are mixed over time."""
    wallets = [Wallet.objects.get(organisation=owner).pk for owner in owners]
    already = Campaign.objects.count()
    total = campaigns + singles
    every = max(total // campaigns, 1)
    _sql(
        f"""
        CREATE TABLE past AS
        SELECT n, {_uuid("at", "n")} AS id, at, size, first,
          CASE WHEN n %% 5 = 0 THEN %s ELSE %s END AS organisation_id,
          CASE WHEN n %% 5 = 0 THEN %s ELSE %s END AS wallet_id
        FROM (
          SELECT n, size, at, COALESCE(sum(size) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING
            AND 1 PRECEDING), 0)::bigint AS first
          FROM (
            SELECT %s + i AS n, %s + i * (%s / %s) AS at,
              CASE WHEN i %% %s = 0 AND i / %s < %s THEN %s ELSE 1 END AS size
            FROM generate_series(0, %s - 1) AS i
          ) AS spread
        ) AS counted
        """,
        owners[1].pk, owners[0].pk, wallets[1], wallets[0],
        already, before - LONG_AGO, LONG_AGO - dt.timedelta(days=4), total,
        every, every, campaigns, size, total,
    )  # fmt: skip
    _sql(f"UPDATE past SET first = first + {Message.objects.count()}")


def _count(status: str) -> str:
    alone = "size" if status == "delivered" else "0"
    return f"CASE WHEN size = 1 THEN {alone} ELSE size / 100 * {SHARES[status]} END"


def _campaigns() -> None:
    _insert(
        Campaign,
        {
            "id": "id", "organisation_id": "organisation_id", "status": "'completed'",
            "message": "'Your bill is ready.'", "sender": "'TALKNTALK'", "currency": "'KES'",
            "expires_at": "at + interval '48 hours'", "created_at": "at", "started_at": "at",
            "finished_at": "at + interval '1 hour'", "recipients_count": "size",
            "sent_count": f"size - ({_count('failed')})", "done_count": "size",
            **{f"{status}_count": _count(status) for status in SHARES},
        },
        "past",
    )  # fmt: skip
    _insert(
        Run,
        {"campaign_id": "id", "organisation_id": "organisation_id", "carrier": "'main'",
         "due_at": "at", "served_at": "at"},
        "past",
    )  # fmt: skip
    failed = _count("failed")
    _insert(
        Hold,
        {"wallet_id": "wallet_id", "campaign_id": "id", "held_micros": f"size::bigint * {PRICE}",
         "captured_micros": f"(size - ({failed}))::bigint * {PRICE}",
         "released_micros": f"({failed})::bigint * {PRICE}",
         "refunded_micros": f"({_count('rejected')})::bigint * {PRICE}",
         "last_seq": "(size + 499) / 500", "created_at": "at",
         "closed_at": "at + interval '1 hour'"},
        "past",
    )  # fmt: skip


def _messages() -> None:
    ends, upper = [], 0
    for status, share in SHARES.items():
        upper += share
        ends.append(f"WHEN i % 100 < {upper} THEN '{status}'")
    _sql(
        f"""
        CREATE TABLE past_message AS
        SELECT {_uuid("at", "first + i")} AS id, p.id AS campaign_id, organisation_id, p.wallet_id,
          h.id AS hold_id, at, i, first + i AS n, i / 500 AS part,
          {_uuid("at", "(n + 1)::bigint * 1000000 + i / 500")} AS submission_id,
          CASE {" ".join(ends)} END AS status, CASE WHEN i % 100 IN (94, 95) THEN 2 ELSE 1 END
          AS attempt
        FROM past AS p JOIN {Hold._meta.db_table} AS h ON h.campaign_id = p.id,
          generate_series(0, size - 1) AS i
        """
    )
    paid, refused = "status <> 'failed'", "status = 'rejected'"
    _insert(
        Message,
        {
            "id": "id", "organisation_id": "organisation_id", "campaign_id": "campaign_id",
            "number": "(254700000000 + n % 90000000)::text", "intake_status": "'queued'",
            "units": "1", "unit_price_micros": f"{PRICE}", "cost_micros": f"{PRICE}",
            "hold_id": "hold_id", "status": "status", "carrier": "'main'",
            "charge": f"CASE WHEN {refused} THEN 'refunded' WHEN {paid} THEN 'captured'"
                      " ELSE 'released' END",
            "captured_micros": f"CASE WHEN {paid} THEN {PRICE} ELSE 0 END",
            "refunded_micros": f"CASE WHEN {refused} THEN {PRICE} ELSE 0 END",
            "carrier_ref": f"CASE WHEN {paid} THEN 'past-' || n ELSE '' END",
            "submission_id": "submission_id", "attempt": "attempt", "asks": "attempt",
            "due_at": "at", "expires_at": "at + interval '48 hours'", "asked_at": "at",
            "sent_at": f"CASE WHEN {paid} THEN at END",
            "delivered_at": "CASE WHEN status = 'delivered' THEN at + interval '1 minute' END",
            # As reports come: a few hundred rows have one moment.
            "done_at": "at + interval '1 minute' * (1 + part)",
        },
        "past_message ORDER BY n",
    )  # fmt: skip


def _requests() -> None:
    _insert(
        Submission,
        {"id": "submission_id", "carrier": "'main'", "slot": "1", "status": "'recorded'",
         "lease_until": "min(at) + interval '1 minute'", "created_at": "min(at)",
         "message_ids": "jsonb_agg(id::text)", "submitting_at": "min(at)", "ended_at": "min(at)",
         "outcome": "'sent'", "absent_ids": "'[]'::jsonb"},
        "past_message GROUP BY submission_id",
    )  # fmt: skip


def _reports() -> None:
    """One for each row that has one, some twice, and one of a hundred for nothing of ours."""
    common = {
        "carrier": "'main'", "code": "'000'", "raw": "repeat('x', 200)", "tries": "1",
        "received_at": "at + interval '1 minute'", "ended_at": "at + interval '1 minute'",
    }  # fmt: skip
    ours = common | {
        "carrier_ref": "'past-' || n", "reference": "id::text", "state": "status",
        "message_id": "id",
    }  # fmt: skip
    heard = "past_message WHERE status NOT IN ('failed', 'unconfirmed')"
    _insert(Report, ours | {"dedupe_key": "'past:' || n", "status": "'applied'"}, heard)
    again = {"dedupe_key": "'again:' || n", "status": "'ignored'", "reason": "'no_change'"}
    _insert(Report, ours | again, f"{heard} AND i % 100 = 7")
    nobody = {"dedupe_key": "'nobody:' || n", "status": "'unmatched'", "reason": "'no_match'"}
    _insert(
        Report,
        common | nobody | {"carrier_ref": "'nobody-' || n"},
        "past_message WHERE i % 100 = 8",
    )


def _money() -> None:
    """A hold per campaign, a capture per request; a release and a refund where there was one."""
    last = f"(SELECT last_seq FROM {Wallet._meta.db_table} AS w WHERE w.id = wallet_id)"
    number = f"{last} + row_number() OVER (PARTITION BY wallet_id ORDER BY h.id, kind)"
    kinds = [
        ("hold", "available", "held", "held_micros"),
        ("release", "held", "available", "released_micros"),
        ("refund", "spent", "available", "refunded_micros"),
    ]
    movements = " UNION ALL ".join(
        f"SELECT {index} AS kind, '{name}:past:' || h.id AS key, '{source}' AS source,"
        f" '{target}' AS target, {amount} AS amount, h.* FROM {Hold._meta.db_table} AS h"
        f" JOIN past AS p ON p.id = h.campaign_id WHERE {amount} > 0"
        for index, (name, source, target, amount) in enumerate(kinds)
    )
    _insert(
        LedgerEntry,
        {"wallet_id": "wallet_id", "hold_id": "h.id", "source": "source", "target": "target",
         "amount_micros": "amount", "key": "key", "seq": number, "available_after_micros": "0",
         "created_at": "created_at"},
        f"({movements}) AS h",
    )  # fmt: skip
    _insert(
        LedgerEntry,
        {"wallet_id": "wallet_id", "hold_id": "hold_id", "source": "'held'", "target": "'spent'",
         "amount_micros": f"count(*) * {PRICE}", "key": "'capture:past:' || submission_id",
         "hold_seq": "part + 1", "created_at": "min(at)"},
        "past_message WHERE status <> 'failed' GROUP BY wallet_id, hold_id, submission_id, part",
    )  # fmt: skip
    _sql(
        f"UPDATE {Wallet._meta.db_table} AS w SET last_seq = (SELECT COALESCE(max(seq), 0)"
        f" FROM {LedgerEntry._meta.db_table} WHERE wallet_id = w.id)"
    )


def _attempts() -> None:
    common = {
        "message_id": "id", "attempt": "1", "units": "1", "hold_id": "hold_id",
        "carrier": "'main'", "carrier_ref": "'older-' || n", "status": "'undelivered'",
        "charge": "'none'", "done_at": "at", "replaced_at": "at",
    }  # fmt: skip
    _insert(MessageAttempt, common, "past_message WHERE attempt = 2")
    _insert(
        Refund,
        {"message_id": "id", "attempt": "1", "hold_id": "hold_id", "amount_micros": f"{PRICE}",
         "due_at": "at + interval '72 hours'", "paid_at": "at + interval '72 hours'"},
        "past_message WHERE status = 'rejected'",
    )  # fmt: skip


def _suppressed(how_many: int) -> None:
    _insert(
        Suppression,
        {"organisation_id": "organisation_id",
         "number": "(254790000000 + n)::text", "created_at": "at"},
        f"past_message ORDER BY n LIMIT {how_many}",
    )  # fmt: skip
