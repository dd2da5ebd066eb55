"""Reports and inbound messages that a person or a test asks for, beside what rules plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.engine import draws
from simulator.engine.fate import Fate
from simulator.engine.knobs import ReportSpec
from simulator.engine.messages import Pending, Record, Shape, Submission
from simulator.engine.oracle import Oracle


@dataclass(frozen=True, slots=True)
class Injection:
    """A report for `client_ref`, or an inbound message from `sender` to `to` (digits or a name)."""

    delay_us: int = 0
    client_ref: str = ""
    state: str = "delivered"
    code: str | None = None
    id_kind: str = "own"
    sender: str = ""
    to: str = ""
    text: str | None = None
    shape: Shape = "json"

    @property
    def is_inbound(self) -> bool:
        return self.text is not None


def injection_as_json(injection: Injection) -> dict[str, Any]:
    return {name: getattr(injection, name) for name in injection.__slots__}


def make_injected(injection: Injection, oracle: Oracle, fate: Fate, now: int) -> Pending:
    """Return what is to be posted. Raises KeyError for a reference that is not in the ring."""
    oracle.injections += 1
    if injection.is_inbound:
        record, spec = _handset(injection, fate, now), ReportSpec()
    else:
        record = _record_of(injection.client_ref, oracle)
        spec = ReportSpec(injection.state, injection.code, id_kind=injection.id_kind)
    report_id = f"{draws.number(record.key, f'injected:{oracle.injections}'):016x}"
    return Pending(
        report_id,
        record,
        spec,
        now + injection.delay_us,
        inbound_text=injection.text,
        inbound_sender=injection.sender or None,
        injected=True,
    )


def _record_of(client_ref: str, oracle: Oracle) -> Record:
    found = oracle.records(client_ref=client_ref)
    if not found:
        raise KeyError(client_ref)
    return next((r for r in reversed(found) if r.status == "accepted"), found[-1])


def _handset(injection: Injection, fate: Fate, now: int) -> Record:
    """An inbound message hangs on a record of its own, which no oracle ever shows."""
    message = Submission("", injection.sender, injection.to, injection.text or "")
    return Record(
        client_ref="",
        to=injection.sender,
        sender=injection.to,
        text=message.text,
        validity_s=None,
        shape=injection.shape,
        at=now,
        key=fate.content(message),
        occurrence=0,
        try_number=0,
        parts=1,
    )
