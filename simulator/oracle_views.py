"""The oracle's knowledge as JSON: shapes for tests and people."""

from __future__ import annotations

from typing import Any

from simulator.accounts import Account
from simulator.clocks import to_iso
from simulator.engine.book import explain
from simulator.engine.fate import share_key
from simulator.engine.messages import Pending, Record


def show_record(record: Record, accepted_count: int) -> dict[str, Any]:
    """Return one decision: what was asked, what was decided and why, what was reported."""
    accepted = record.status == "accepted"
    return {
        "client_ref": record.client_ref,
        "to": "+" + record.to,
        "from": record.sender,
        "text": record.text,
        "parts": record.parts,
        "at": to_iso(record.at),
        "status": record.status,
        "accepted_count": accepted_count,
        "id": record.id if accepted else None,
        "price": record.price,
        "code": record.code or None,
        "detail": record.detail or None,
        "occurrence": record.occurrence,
        "try": record.try_number,
        "state": record.state or None,
        "rules": [
            {"knob": knob, "rule": rule.name, "why": explain(rule, share_key(record))}
            for knob, rule in record.hits
        ],
        "reports": [show_report(item) for item in record.reports],
    }


def show_report(item: Pending) -> dict[str, Any]:
    """Return a planned report and every answer it got (status 0: none, -1: no address)."""
    return {
        "report_id": item.report_id,
        "status": item.spec.state,
        "code": item.spec.shown_code,
        "due_at": to_iso(item.due),
        "copy": item.copy,
        "part": item.spec.part,
        "state": item.state,
        "attempts": [{"at": to_iso(at), "status": status} for at, status in item.attempts],
    }


def show_messages(
    account: Account, client_ref: str | None = None, to: str | None = None, limit: int = 1_000
) -> dict[str, Any]:
    """Return the latest `limit` records for a reference, a number, both, or all.

    `accepted` counts the accepted ones among all that were found; per record, `accepted_count` is
    how often its reference was ever accepted (exact, also beyond the ring).
    """
    oracle = account.engine.oracle
    found = oracle.records(client_ref, to)
    accepted = sum(record.status == "accepted" for record in found)
    if client_ref and to is None:
        accepted = oracle.accepted_count(client_ref)
    return {
        "count": len(found),
        "accepted": accepted,
        "messages": [
            show_record(record, oracle.accepted_count(record.client_ref))
            for record in found[-limit:]
        ],
    }


def show_summary(account: Account) -> dict[str, Any]:
    """Return the totals since the last reset."""
    engine, totals = account.engine, account.engine.oracle.totals
    by_reference, by_content = engine.oracle.duplicates()
    return {
        "account": account.name,
        "seed": engine.settings.seed,
        "now": to_iso(account.now()),
        "requests": engine.requests,
        "accepted": totals["accepted"],
        "accepted_parts": totals["accepted_parts"],
        "refused": totals["refused"],
        "refused_by_code": dict(sorted(engine.oracle.refused_by_code.items())),
        "requests_refused": dict(sorted(engine.refusals.items())),
        "faults": dict(sorted(engine.faults.items())),
        "duplicates": {"by_reference": by_reference, "by_content": by_content},
        "reports": {
            "planned": totals["reports_planned"],
            "pending": totals["reports_planned"] - totals["reports_sent"],
            "sent": totals["reports_sent"],
            "acknowledged": totals["reports_acked"],
            "lost": totals["reports_lost"],
        },
        "inbound": {"sent": totals["inbound_sent"], "acknowledged": totals["inbound_acked"]},
        "still_to_come": engine.schedule.waiting(),
        "next_due_at": _iso_or_none(engine.next_due_at()),
        "forgotten_records": totals["forgotten_records"],
    }


def _iso_or_none(micros: int | None) -> str | None:
    return None if micros is None else to_iso(micros)
