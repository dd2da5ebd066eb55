"""What goes into the engine and what comes out. Times are UTC microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec import Struct

from simulator.engine.knobs import Body, CloseIdle, Lose, ReportSpec
from simulator.engine.rules import Rule

#: Which plane a message came through, hence how its answers and reports are written.
Shape = Literal["json", "africastalking"]
PendingState = Literal["pending", "sent", "acked", "lost"]
CallbackKind = Literal["report", "inbound"]


class Submission(NamedTuple):
    """One message asked of the carrier. `to` is digits; `client_ref` may be empty."""

    client_ref: str
    to: str
    sender: str
    text: str
    validity_s: int | None = None


class Row(NamedTuple):
    """One row of an answer. Refused rows have a code, accepted ones an id."""

    client_ref: str
    to: str
    status: str
    id: str = ""
    parts: int = 0
    price: str | float | None = None
    code: str = ""
    detail: str = ""


class QueryRow(NamedTuple):
    """What the query by reference knows of a message. `status` accepted, refused or a state."""

    client_ref: str
    to: str
    status: str
    id: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole request refused: nothing of it was taken."""

    status: int
    code: str
    detail: str
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong on the connection. `kind` is the knob; `how` reset, close, silence, status.

    A fault without `lose` leaves the answer to be sent (perhaps with a broken body).
    """

    kind: str
    rule: str
    lose: Lose | None = None


class Pending(Struct, eq=False):
    """One report (or inbound message) that is planned, and what became of it."""

    report_id: str
    record: Record
    spec: ReportSpec
    due: int
    copy: int = 1
    inbound_text: str | None = None
    inbound_sender: str | None = None
    state: PendingState = "pending"
    #: (when, HTTP status) of each try.
    attempts: tuple[tuple[int, int], ...] = ()
    injected: bool = False


@dataclass(slots=True, eq=False)
class Callback:
    """One POST to the client: equal id and body at every try. `tries` counts those made.

    `body` is written by whoever posts it first.
    """

    id: str
    kind: CallbackKind
    shape: Shape
    items: tuple[Pending, ...]
    due: int
    tries: int = 0
    body: bytes = b""


class Record(Struct, eq=False):
    """One decision about one message, as the oracle keeps it."""

    client_ref: str
    to: str
    sender: str
    text: str
    validity_s: int | None
    shape: Shape
    at: int
    key: bytes
    occurrence: int
    try_number: int
    parts: int
    status: str = "refused"
    code: str = ""
    detail: str = ""
    id: str = ""
    report_as: str = ""
    price: str | float | None = None
    #: (knob, the rule that decided it)
    hits: tuple[tuple[str, Rule], ...] = ()
    reports: list[Pending] = []
    state: str = ""
    state_code: str = ""
    query_failures: int = 0

    def row(self) -> Row:
        """Return the row that answers this message."""
        if self.status == "accepted":
            return Row(self.client_ref, self.to, self.status, self.id, self.parts, self.price)
        return Row(self.client_ref, self.to, self.status, code=self.code, detail=self.detail)


@dataclass(slots=True)
class Decision:
    """The engine's answer to one request.

    `records` are the truth, in request order; `spoiled` are the rows of the answer where a rule
    wants others. `early` must be posted before the answer. `latency_us` counts before the answer.
    """

    records: list[Record] = field(default_factory=list)
    spoiled: list[Row] | None = None
    refusal: Refusal | None = None
    fault: Fault | None = None
    body: Body | None = None
    close_idle: CloseIdle | None = None
    latency_us: int = 0
    early: Sequence[Callback] = ()

    @property
    def rows(self) -> list[Row]:
        """The rows as they go on the wire."""
        if self.spoiled is not None:
            return self.spoiled
        return [record.row() for record in self.records]

    @property
    def answered(self) -> Sequence[Row | Record]:
        """What the rows are written from: a record says all that its row does."""
        return self.records if self.spoiled is None else self.spoiled


@dataclass(slots=True)
class QueryDecision:
    """The answer to a query by reference, or its refusal."""

    rows: list[QueryRow] = field(default_factory=list)
    refusal: Refusal | None = None
