"""The cells: where a worker is struck, what the carrier does meanwhile, and how it must end.

A campaign of 20 messages leaves in requests of 5. One healthy request is recorded first; the worker
is struck in the next one, the *second*, and the carrier misbehaves at its messages, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MESSAGES, PER_REQUEST, TEXT = 20, 5, "Hi"
#: Frozen in the middle of writing: 79 KB fit into no buffer, but what is left then fits into one,
#: so a worker that wrote on after it woke would complete the request.
LONG_MESSAGES, LONG_PER_REQUEST = 400, 200
LONG_TEXT = "A long text that has to be written in several pieces. " * 5

#: What the carrier does with the second request; the rules speak of its numbers.
CARRIERS: Mapping[str, Mapping[str, object]] = {
    "answers": {},
    "loses the answer": {"lose_answer": {"how": "close", "tries": 1}},
    "loses the request": {"lose_request": {"how": "silence", "tries": 1}},
    "resets": {"drop_after": {"accepted": 2, "how": "reset", "tries": 1}},
    "processes late": {"process_late": {"after_s": 45, "how": "close", "tries": 1}},
}
#: Only where there is a query: it knows a message 30 virtual seconds after it was accepted.
QUERY_LAGS: Mapping[str, object] = {"query": {"lag_s": 30}}

DISPATCH_POINTS = (
    "inside tx1", "after tx1", "before tx2", "after tx2", "connected", "first byte", "last byte",
    "before tx3", "inside tx3", "after tx3",
)  # fmt: skip
APPLY_POINTS = ("before apply", "inside apply", "after apply")
POINTS = (*DISPATCH_POINTS, *APPLY_POINTS)
#: A worker that is frozen while it writes has half of its request left when it wakes.
MID_REQUEST = "mid request"

#: Struck at by the proxy between the worker and the carrier, not by the worker itself.
BYTE_POINTS = ("first byte", "last byte")


def _table(text: str) -> Mapping[tuple[str, str], int]:
    """Numbers by (point, carrier): a row per point, a column per carrier."""
    (_, *carriers), *rows = (
        [cell.strip() for cell in line.split("|")] for line in text.split("\n")
    )
    return {
        (point, carrier): int(number)
        for point, *numbers in rows
        for carrier, number in zip(carriers, numbers, strict=True)
    }


#: Messages that stay unknown for good where the carrier has no query (all others: accepted exactly
#: once, and final). Nothing is asked before tx2, so the rows go back and the carrier's fault meets
#: the healthy worker. From tx2 to the first byte, the carrier has nothing and nobody can know it.
#: Later, it has what it took, and its reports tell.
UNKNOWN_WITHOUT_QUERY = _table("""\
              |answers|loses the answer|loses the request|resets|processes late
inside tx1    |   0   |       0        |        5        |   3  |      0
after tx1     |   0   |       0        |        5        |   3  |      0
before tx2    |   0   |       0        |        5        |   3  |      0
after tx2     |   5   |       5        |        5        |   5  |      5
connected     |   5   |       5        |        5        |   5  |      5
first byte    |   5   |       5        |        5        |   5  |      5
last byte     |   0   |       0        |        5        |   3  |      0
before tx3    |   0   |       0        |        5        |   3  |      0
inside tx3    |   0   |       0        |        5        |   3  |      0
after tx3     |   0   |       0        |        5        |   3  |      0
before apply  |   0   |       0        |        5        |   3  |      0
inside apply  |   0   |       0        |        5        |   3  |      0
after apply   |   0   |       0        |        5        |   3  |      0""")

#: A worker that was stopped for longer than lease, settle time and its own deadline, then went on.
#: It may know by itself that it wrote nothing; then its late word frees the rows.
UNKNOWN_AFTER_FREEZE: Mapping[str, int] = {
    "inside tx1": 0,
    "after tx1": 0,
    "before tx2": 0,
    "after tx2": 0,
    "connected": 0,
    "first byte": 0,
    "mid request": LONG_PER_REQUEST,
    "last byte": 0,
    "before tx3": 0,
    "inside tx3": 0,
    "after tx3": 0,
    "before apply": 0,
    "inside apply": 0,
    "after apply": 0,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix."""

    point: str
    carrier: str = "answers"
    query: bool = False
    #: Stopped and woken later, instead of killed.
    frozen: bool = False
    query_lags: bool = False

    @property
    def is_long(self) -> bool:
        return self.frozen and self.point == MID_REQUEST

    @property
    def messages(self) -> int:
        return LONG_MESSAGES if self.is_long else MESSAGES

    @property
    def per_request(self) -> int:
        return LONG_PER_REQUEST if self.is_long else PER_REQUEST

    @property
    def text(self) -> str:
        return LONG_TEXT if self.is_long else TEXT

    @property
    def unknown(self) -> int:
        """How many messages must stay unknown until their deadline."""
        if self.query:
            return 0
        if self.frozen:
            return UNKNOWN_AFTER_FREEZE[self.point]
        return UNKNOWN_WITHOUT_QUERY[self.point, self.carrier]

    def rules(self, numbers: Sequence[str]) -> list[Mapping[str, object]]:
        """The simulator's rules, for the ``numbers`` of the second request."""
        fault = CARRIERS[self.carrier]
        found: list[Mapping[str, object]] = []
        if fault:
            found.append({"name": self.carrier, "match": {"number": list(numbers)}, **fault})
        if self.query_lags:
            found.append({"name": "the query lags", **QUERY_LAGS})
        return found

    def __str__(self) -> str:
        words = ["frozen" if self.frozen else "killed", self.point, self.carrier]
        words += ["with query" if self.query else "no query"]
        words += ["that lags"] if self.query_lags else []
        return "-".join(words).replace(" ", "_")


def killed(query: bool) -> list[Cell]:
    return [Cell(point, carrier, query=query) for point in POINTS for carrier in CARRIERS]


def frozen() -> list[Cell]:
    points = UNKNOWN_AFTER_FREEZE
    return [Cell(point, query=query, frozen=True) for point in points for query in (False, True)]


def lagging() -> list[Cell]:
    carriers = ("answers", "loses the answer", "processes late")
    return [
        Cell(point, carrier, query=True, query_lags=True)
        for point in ("after tx2", "last byte", "before tx3")
        for carrier in carriers
    ]


ALL = (*killed(query=False), *killed(query=True), *lagging(), *frozen())
