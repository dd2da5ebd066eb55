"""The contract between the outbox and a carrier.

A carrier gets its options in its constructor, reads no settings and sees no models. It is asked in
three steps, so that the outbox knows exactly when something left the house::

    prepared = carrier.prepare(batch)      # pure: builds the request, names what cannot be encoded
    results = carrier.submit(prepared, deadline)   # one request on the network; never raises
    reports = carrier.parse_reports(...)   # pure: a delivery-report callback
    known = carrier.query(references, deadline)    # only where has_query: what became of them

Three outcomes are possible for a message: *accepted*, *refused*, *unknown*; a fourth, *stopped*,
says that the carrier takes nothing more until a person acts. Whoever is in doubt says *unknown*:
``refused`` with ``temporary`` and ``stopped`` are taken as proof that the carrier does not have the
message, and it is asked again. docs/reference/carriers.md has the table of each carrier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import msgspec

from bulksms.exceptions import InvalidReport

Outcome = Literal["accepted", "refused", "unknown", "stopped"]

#: A delivery report's final word (message states), or "" for "still on its way".
ON_ITS_WAY = ""

#: Longest carrier id, code and detail that are kept.
MAX_REF, MAX_CODE, MAX_DETAIL = 120, 60, 200


# There is one of these for each message: a Struct is made in a tenth of a dataclass's time.


class OutboundSms(msgspec.Struct, frozen=True):
    """One message to ask for. ``to`` is E.164 digits; ``text`` and ``to`` stay out of reprs."""

    reference: str
    to: str
    sender: str
    text: str
    parts: int
    validity_s: int

    def __repr__(self) -> str:
        return f"<OutboundSms {self.reference}>"


class SubmitResult(msgspec.Struct, frozen=True):
    """What became of one message of a request.

    ``temporary`` on a refusal is *proof* that the carrier did not take the message and may take it
    later: only then it is asked again. ``retry_after_s``: the carrier asked to be left alone,
    whatever the outcome; finite, 0 to 3600. ``carrier_ref`` is kept on *unknown* too, so that a
    report finds its message.
    """

    outcome: Outcome
    carrier_ref: str = ""
    code: str = ""
    detail: str = ""
    temporary: bool = False
    retry_after_s: float | None = None
    #: A refusal of the request as it stands: one of its messages may be to blame for all.
    of_request: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to go: ``request`` is the carrier's own business."""

    request: Any = field(repr=False)
    #: What the request asks for, in its order.
    references: tuple[str, ...]
    #: reference -> why this message cannot be encoded; such a message fails alone.
    unencodable: Mapping[str, str] = field(default_factory=dict)


class QueryResult(msgspec.Struct, frozen=True):
    """What a carrier says of a message that it knows.

    ``accepted``: it took the message; ``state`` is a final message state, or ``ON_ITS_WAY``, also
    for a word that we do not know. ``refused``: it knows the message and did not take it, for good.
    """

    outcome: Literal["accepted", "refused"] = "accepted"
    state: str = ON_ITS_WAY
    carrier_ref: str = ""
    code: str = ""


class ParsedReport(msgspec.Struct, frozen=True):
    """One delivery report, translated. ``state`` is a final message state or ``ON_ITS_WAY``."""

    dedupe_key: str
    carrier_ref: str
    reference: str
    state: str
    code: str
    raw: str
    #: "2/3" where the report, and its ``state``, speak of one part only. A part that failed is
    #: final for its message; it is delivered when all of its parts were.
    part: str = ""

    def __repr__(self) -> str:
        return f"<ParsedReport {self.dedupe_key}: {self.reference} {self.state}>"


class Carrier:
    """Base of all carriers; the class attributes declare what the outbox must know."""

    max_batch: ClassVar[int] = 500
    #: A request has one text *and one sender* for all of its recipients.
    one_text_per_request: ClassVar[bool] = False
    #: "number": an answer names recipients, not references; no number may be twice in a request.
    matches_by: ClassVar[Literal["reference", "number"]] = "reference"
    has_query: ClassVar[bool] = False
    #: A query that does not know a reference proves something only this long after our socket for
    #: its request was closed (and once more, 60 s later).
    query_settles_after_s: ClassVar[float] = 300.0
    supports_reports: ClassVar[bool] = True
    signs_reports: bool = False
    dedupes_by_reference: ClassVar[bool] = False
    #: Codes of refusals after which the message may be asked for again: nothing was accepted.
    safe_refusals: ClassVar[frozenset[str]] = frozenset()
    #: Codes, also of reports, after which another try is in vain: no retry asks for them unnamed.
    permanent_codes: ClassVar[frozenset[str]] = frozenset()
    is_simulated: ClassVar[bool] = False

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = options
        #: Messages per request, parts per second (None = no limit), requests at a time.
        self.batch_size = min(int(options.get("max_batch", self.max_batch)), self.max_batch)
        self.parts_per_second: float | None = options.get("parts_per_second")
        self.window = int(options.get("window", 4))
        if self.batch_size < 1 or self.window < 1:
            raise ValueError(f"carrier {name}: max_batch and window must be 1 or more")
        if self.parts_per_second is not None and not self.parts_per_second > 0:
            raise ValueError(f"carrier {name}: parts_per_second must be more than 0, or left out")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        """Build one request for ``batch``. Pure: no network, no clock.

        Whatever a text holds, only its own message is ``unencodable``. Raises ValueError where the
        batch breaks what the class declares (two texts, a number twice): a bug of the caller.
        """
        raise NotImplementedError

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        """Ask the carrier once. Returns a result per reference; one that is missing is unknown.

        ``deadline`` is a ``time.monotonic()`` value: past it no byte is written and no answer is
        awaited. Never raises for anything that the network or the carrier does. Nothing is sent
        for a request without references.
        """
        raise NotImplementedError

    def query(self, references: Sequence[str], deadline: float) -> Mapping[str, QueryResult] | None:
        """Ask the carrier what became of ``references`` (any number; only where ``has_query``).

        * None: it could not be asked, or its answer is not wholly readable. Proves nothing.
        * A reference in the mapping: the carrier knows it; see QueryResult.
        * A reference *absent* from the mapping: the carrier said, in a complete and well-formed
          answer, that it does not know it. After ``query_settles_after_s``, twice, that is proof
          that the message was not accepted, so a carrier in any doubt returns None.

        Asking changes nothing, so it may be repeated. ``deadline`` as for submit; never raises.
        """
        raise NotImplementedError

    def parse_reports(self, headers: Mapping[str, str], body: bytes) -> Sequence[ParsedReport]:
        """Verify and read a report callback. Header names come in lower case.

        Raises InvalidReport, and nothing else whatever the body and the headers hold.
        """
        raise InvalidReport(f"{self.name} takes no reports")

    def close(self) -> None:
        """Give back sockets and threads (worker shutdown)."""


def cleaned(value: object, limit: int = MAX_CODE) -> str:
    """A carrier's word or id as text that every database takes; "" for what is no word.

    Ids may be numbers of any size. Characters that cannot be printed (NUL, halves of surrogate
    pairs, line breaks) are dropped.
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        return ""
    if not text.isprintable():
        text = "".join(char for char in text if char.isprintable())
    return text.strip()[:limit]


def one_each(rows: Iterable[tuple[str, SubmitResult]]) -> dict[str, SubmitResult]:
    """One result per key. Rows of one answer that contradict each other prove nothing."""
    found: dict[str, SubmitResult] = {}
    for key, result in rows:
        before = found.setdefault(key, result)
        if before.outcome == result.outcome == "accepted" or before == result:
            continue
        known_as = before.carrier_ref or result.carrier_ref
        found[key] = SubmitResult("unknown", carrier_ref=known_as, code="contradictory_answer")
    return found


def header_value(name: str, value: object) -> str:
    """An option that becomes an HTTP header. Raises ValueError, without showing the value."""
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{name} has a character that no header can carry (a line break?)")
    return text
