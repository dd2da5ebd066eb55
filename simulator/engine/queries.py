"""The query by reference: what the carrier says it knows, which may be late, or less than true."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine import words
from simulator.engine.fate import Fate, share_key
from simulator.engine.knobs import Query
from simulator.engine.messages import QueryDecision, QueryRow, Record, Refusal, Submission
from simulator.engine.oracle import Oracle


def answer_query(oracle: Oracle, fate: Fate, client_refs: Sequence[str], now: int) -> QueryDecision:
    """Return a row per known reference, in the order asked; unknown ones are simply absent."""
    decision = QueryDecision()
    for client_ref in dict.fromkeys(client_refs):
        record = _telling(oracle.records(client_ref=client_ref))
        if record is None:
            decision.rows += _forgotten(oracle, client_ref)
            continue
        knob = _knob(fate, record)
        if knob is not None and _fails(knob, record):
            status = knob.status or 503
            return QueryDecision(refusal=Refusal(status, "temporary_failure", "ask again later"))
        if knob is None or _is_known(knob, record, now):
            decision.rows.append(_row(record))
    return decision


def _telling(records: list[Record]) -> Record | None:
    """Return the latest acceptance: a carrier keeps nothing of what it refused."""
    return next((r for r in reversed(records) if r.status == words.ACCEPTED), None)


def _forgotten(oracle: Oracle, client_ref: str) -> list[QueryRow]:
    """A record that left the ring is still known to have been accepted: never say otherwise."""
    if not oracle.accepted_count(client_ref):
        return []
    return [QueryRow(client_ref, "", words.ACCEPTED)]


def _knob(fate: Fate, record: Record) -> Query | None:
    message = Submission(record.client_ref, record.to, record.sender, record.text)
    rule = fate.rule_of("query", message, share_key(record), {})
    return None if rule is None else rule.query


def _fails(knob: Query, record: Record) -> bool:
    if knob.status is None:
        return False
    record.query_failures += 1
    return knob.tries is None or record.query_failures <= knob.tries


def _is_known(knob: Query, record: Record, now: int) -> bool:
    age = now - record.at
    return age >= knob.lag_us and (knob.forget_after_us is None or age < knob.forget_after_us)


def _row(record: Record) -> QueryRow:
    return QueryRow(
        record.client_ref,
        record.to,
        record.state or words.ACCEPTED,
        record.id,
        record.state_code,
    )
