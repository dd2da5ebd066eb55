"""The contract between the outbox and a carrier.

A carrier gets its options in its constructor, reads no settings and sees no models. It is asked in
three steps, so that the outbox knows exactly when something left the house::

    prepared = carrier.prepare(batch)      # pure: builds the request, names what cannot be encoded
    results = carrier.submit(prepared, deadline)   # one request on the network; never raises
    reports = carrier.parse_reports(...)   # pure: a delivery-report callback

Three outcomes are possible for a message: *accepted*, *refused*, *unknown*; a fourth, *stopped*,
says that the carrier takes nothing more until a person acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bulksms.exceptions import InvalidReport

Outcome = Literal["accepted", "refused", "unknown", "stopped"]

#: A delivery report's final word (message states), or "" for "still on its way".
ON_ITS_WAY = ""


@dataclass(frozen=True, slots=True)
class OutboundSms:
    """One message to ask for. ``to`` is E.164 digits; ``text`` and ``to`` stay out of reprs."""

    reference: str
    to: str = field(repr=False)
    sender: str
    text: str = field(repr=False)
    parts: int
    validity_s: int


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of one message of a request.

    ``temporary`` on a refusal is *proof* that the carrier did not take the message and may take it
    later: only then it is asked again. ``retry_after_s``: the carrier asked to be left alone.
    """

    outcome: Outcome
    carrier_ref: str = ""
    code: str = ""
    detail: str = ""
    temporary: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to go: ``request`` is the carrier's own business."""

    request: Any
    references: tuple[str, ...]
    #: reference -> why this message cannot be encoded; such a message fails alone.
    unencodable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """One delivery report, translated. ``state`` is a final message state or ``ON_ITS_WAY``."""

    dedupe_key: str
    carrier_ref: str
    reference: str
    state: str
    code: str
    raw: str = field(repr=False)


class Carrier:
    """Base of all carriers; the class attributes declare what the outbox must know."""

    max_batch: ClassVar[int] = 500
    one_text_per_request: ClassVar[bool] = False
    matches_by: ClassVar[Literal["reference", "number"]] = "reference"
    has_query: ClassVar[bool] = False
    query_settles_after_s: ClassVar[float] = 300.0
    supports_reports: ClassVar[bool] = True
    signs_reports: bool = False
    dedupes_by_reference: ClassVar[bool] = False
    #: Codes of refusals after which the message may be asked for again: nothing was accepted.
    safe_refusals: ClassVar[frozenset[str]] = frozenset()
    is_simulated: ClassVar[bool] = False

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = options
        #: Messages per request, parts per second (None = no limit), requests at a time.
        self.batch_size = min(int(options.get("max_batch", self.max_batch)), self.max_batch)
        self.parts_per_second: float | None = options.get("parts_per_second")
        self.window = int(options.get("window", 4))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        """Build one request for ``batch``. Pure: no network, no clock."""
        raise NotImplementedError

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        """Ask the carrier once. Returns a result per reference; one that is missing is unknown.

        ``deadline`` is a ``time.monotonic()`` value: past it no byte is written and no answer is
        awaited. Never raises for anything that the network or the carrier does.
        """
        raise NotImplementedError

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> Sequence[ParsedReport]:
        """Verify and read a report callback. Header names come in lower case.

        Raises InvalidReport.
        """
        raise InvalidReport(f"{self.name} takes no reports")

    def close(self) -> None:
        """Give back sockets and threads (worker shutdown)."""
