"""What a rule can turn: one frozen class per knob, in the three kinds of determinism.

truth    same seed and set of messages, same fate of each: whatever order, split or clients
request  drawn from the request's sorted content: equal requests, equal faults
state    depends on what came before: the same sequence of (request, now), the same answers

Times are integer microseconds (`*_us`). A `Span` is drawn evenly, both ends included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from simulator.engine import words

Kind = Literal["truth", "request", "state"]
Loss = Literal["reset", "close", "silence", "status"]
Per = Literal["request", "message"]
IdForm = Literal["hex", "upper", "decimal", "padded", "big", "uuid"]

#: Which kind each key of a rule is of (`throttle` is truth where it has a share).
KIND_OF_KNOB: dict[str, Kind] = {
    "refuse": "truth",
    "report": "truth",
    "id_form": "truth",
    "price": "truth",
    "reply": "truth",
    "query": "truth",
    "dedupe_by_ref": "truth",
    "latency": "request",
    "lose_answer": "request",
    "lose_request": "request",
    "process_late": "request",
    "drop_after": "request",
    "answer": "request",
    "rows": "request",
    "body": "request",
    "close_idle": "request",
    "throttle": "state",
    "queue": "state",
    "credit": "state",
}


class Span(NamedTuple):
    """A time drawn evenly from [low_us, high_us]."""

    low_us: int
    high_us: int


ONE_SECOND = Span(1_000_000, 1_000_000)


# --- truth -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """One planned report. `delay` None = the account's own; counted from the acceptance.

    `id_kind`: own, unknown (an id nobody got), or account:<name> (the latest id of another one).
    `part` is 1-based where the report is of one part. `omit` names fields left out of the body.
    """

    state: str = words.DELIVERED
    code: str | None = None
    delay: Span | None = None
    copies: int = 1
    gap_us: int = 1_000_000
    before_answer: bool = False
    at_validity_end: bool = False
    id_kind: str = "own"
    part: int | None = None
    omit: frozenset[str] = frozenset()
    #: The code that the report carries.
    shown_code: str = field(init=False, default="")
    #: The report names its own id and lacks no field, and is of the whole message.
    is_plain: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        code = words.CODE_OF_STATE.get(self.state, words.CODE_OF_ANY_OTHER_STATE)
        object.__setattr__(self, "shown_code", code if self.code is None else self.code)
        plain = self.id_kind == "own" and self.part is None and not self.omit
        object.__setattr__(self, "is_plain", plain)


@dataclass(frozen=True, slots=True)
class PartsSpec:
    """A report per part: the n-th part ends in the n-th state, further ones in the last."""

    states: tuple[str, ...]
    delay: Span | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse with `code` at the first `tries` tries (None = at every try)."""

    code: str
    detail: str
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of a message: refused or accepted, and the reports that follow either."""

    refuse: Refuse | None = None
    reports: tuple[ReportSpec, ...] = (ReportSpec(),)
    parts: PartsSpec | None = None


@dataclass(frozen=True, slots=True)
class IdForms:
    """How carrier ids are written in the answer and, perhaps otherwise, in reports."""

    answer: IdForm = "hex"
    report: IdForm = "hex"


@dataclass(frozen=True, slots=True)
class Price:
    """Price per part in micros of `currency`; `form` is how the answer writes it."""

    amount_micros: int = 800_000
    currency: str = "KES"
    form: Literal["text", "number", "comma", "missing", "zero"] = "text"


@dataclass(frozen=True, slots=True)
class Reply:
    """An inbound message that the handset sends after the acceptance."""

    text: str
    delay: Span = ONE_SECOND
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The query by reference: knows a message `lag_us` late, forgets it, or fails `tries` times."""

    lag_us: int = 0
    forget_after_us: int | None = None
    status: int | None = None
    tries: int | None = None


# --- request ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latency:
    """Time before the answer. uniform: [low, high]; lognormal: median low, `sigma`; spike: high
    in `share` percent of the requests, else low."""

    shape: Literal["fixed", "uniform", "lognormal", "spike"]
    low_us: int
    high_us: int = 0
    sigma: float = 0.5
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Lose:
    """Lose the answer, the request, or the connection. `status`: answer it instead of silence."""

    how: Loss = "reset"
    status: int = 502
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class ProcessLate:
    """The request is read and its answer lost; its messages are taken up `delay` later."""

    delay: Span
    how: Loss = "reset"
    status: int = 504
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class DropAfter:
    """Take the first `accepted` messages in request order, then lose the connection."""

    accepted: int
    how: Loss = "reset"
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the whole request with a refusal; nothing of it is taken."""

    code: str
    status: int
    detail: str
    retry_after_s: int | None = None
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What is wrong with the rows of the answer: order, `missing` rows, `extra` rows."""

    shuffled: bool = False
    missing: int = 0
    extra: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """What is wrong with the body of the answer (the messages were taken all the same)."""

    how: Literal[
        "invalid_json", "html", "empty", "wrong_type", "huge", "dribble", "redirect", "truncated"
    ]
    size_bytes: int = 2_000_000
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CloseIdle:
    """Close the kept-alive connection, unannounced, `after_us` of real time after the answer."""

    after_us: int = 0


# --- shared state ----------------------------------------------------------------------------

RetryAfter = Literal["right", "missing", "date", "lying"]


@dataclass(frozen=True, slots=True)
class Throttle:
    """A token bucket in parts: at most `burst` + `rate` x w of them in any window of w seconds."""

    rate_micro: int
    burst: int
    retry_after: RetryAfter = "right"
    per: Per = "request"


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of `depth` messages that drains by itself."""

    depth: int
    drain_micro: int
    retry_after: RetryAfter = "right"
    per: Per = "request"


@dataclass(frozen=True, slots=True)
class Credit:
    """Our credit with the carrier, in parts; after that `code` until it is reset or raised."""

    parts: int
    code: str = "out_of_credit"
