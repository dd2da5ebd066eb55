"""The oracle: what really happened, whatever the wire said.

Full records live in a ring of `keep`; accept counts are kept for every reference and every text
(see `counts`), so `duplicates` is exact for as long as the simulator takes anything at all.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from simulator.engine import draws
from simulator.engine.counts import DigestTable
from simulator.engine.messages import CallbackKind, PendingState, Record
from simulator.engine.record_index import RecordIndex

# A reference's value, from the top: check of its content 16 bits, occurrence 24, tries 10,
# accepts 14. A content's value: occurrences and accepts, 32 bits each. Counts stop at their most;
# the running totals do not.
_CHECK_SHIFT, _OCCURRENCE_SHIFT, _TRIES_SHIFT = 48, 24, 14
_MOST_CHECK = (1 << 16) - 1
_MOST_OCCURRENCES = (1 << 24) - 1
_MOST_TRIES = (1 << 10) - 1
_MOST_ACCEPTS = (1 << 14) - 1
_MASK_32 = 0xFFFFFFFF
_HEAD = struct.Struct("<Q")
_TOTALS_OF_KIND: dict[CallbackKind, str] = {"report": "reports", "inbound": "inbound"}


class Identity(Struct, gc=False):
    """Which of several equal messages this is, and which try of it. Both count from 0.

    `reference` is 0 where it tells nothing (none given, or one used with another content before).
    The rest is what `Oracle.add` writes back: digests and their values.
    """

    occurrence: int
    try_number: int
    content: int
    content_value: int
    reference: int
    reference_value: int
    is_new: bool


class Oracle:
    """Counts every decision and keeps the latest `keep` of them whole."""

    def __init__(self, keep: int, max_refs: int) -> None:
        self.keep = keep
        self.injections = 0
        self.totals: Counter[str] = Counter()
        self.refused_by_code: Counter[str] = Counter()
        self._references = DigestTable(max_refs)
        self._contents = DigestTable(max_refs)
        self._allowed: dict[int, int] = {}
        self._ring: deque[Record] = deque()
        #: The newest records of the ring that no index holds yet: nobody asked for one of them.
        self._unindexed = 0
        self._by_ref = RecordIndex()
        self._by_to = RecordIndex()

    def room(self) -> int:
        """Return how many further messages can be told apart."""
        return min(self._references.room(), self._contents.room())

    def identify(self, client_ref: str, content: bytes) -> Identity:
        """Say which message and which try of it comes next; `add` then counts it.

        An empty reference, or one that came with another content before, cannot tell a retry:
        every such message is a new occurrence.
        """
        digest = _head(content)
        known = self._contents.get(digest)
        reference = draws.reference_digest(client_ref) if client_ref else 0
        value = self._references.get(reference) if reference else 0
        if value and value >> _CHECK_SHIFT == digest & _MOST_CHECK:
            occurrence = value >> _OCCURRENCE_SHIFT & _MOST_OCCURRENCES
            tries = value >> _TRIES_SHIFT & _MOST_TRIES
            return Identity(occurrence, tries, digest, known, reference, value, False)
        occurrence = (known >> 32) & _MOST_OCCURRENCES
        return Identity(occurrence, 0, digest, known, reference, value, True)

    def add(self, record: Record, identity: Identity | None = None) -> None:
        """Take one decision into the books. Raises TableFull.

        Without an identity the message was refused before it was told from others.
        """
        totals, accepted = self.totals, record.status == "accepted"
        if accepted:
            totals["accepted"] += 1
            totals["accepted_parts"] += record.parts
        else:
            totals["refused"] += 1
            self.refused_by_code[record.code] += 1
        if identity is not None:
            self._count_content(identity, accepted)
            if identity.reference:
                self._count_reference(identity, accepted)
        self._ring.append(record)
        self._unindexed += 1
        if len(self._ring) > self.keep:
            self._forget(self._ring.popleft())

    def _count_content(self, identity: Identity, accepted: bool) -> None:
        value = identity.content_value
        if accepted and value & _MASK_32:
            self.totals["duplicates_by_content"] += 1
        self._contents.put(identity.content, value + (identity.is_new << 32) + accepted)

    def _count_reference(self, identity: Identity, accepted: bool) -> None:
        value = identity.reference_value
        if not value:
            head = (identity.content & _MOST_CHECK) << _CHECK_SHIFT
            value = head | identity.occurrence << _OCCURRENCE_SHIFT
        if accepted and value & _MOST_ACCEPTS:
            self.totals["duplicates_by_reference"] += 1
        if identity.try_number < _MOST_TRIES and (
            identity.reference_value == 0 or not identity.is_new
        ):
            value += 1 << _TRIES_SHIFT
        if accepted and value & _MOST_ACCEPTS < _MOST_ACCEPTS:
            value += 1
        self._references.put(identity.reference, value)

    def _forget(self, record: Record) -> None:
        self.totals["forgotten_records"] += 1
        if self._unindexed > len(self._ring):
            self._unindexed -= 1
            return
        self._by_ref.remove(record.client_ref, record)
        self._by_to.remove(record.to, record)

    def accepted_count(self, client_ref: str) -> int:
        """Return how often a reference was really accepted (exact up to 16,383)."""
        return self._references.get(draws.reference_digest(client_ref)) & _MOST_ACCEPTS

    def expect(self, content: bytes, count: int) -> None:
        """Say that `count` messages of this content are wanted (1 where nothing is said)."""
        self._allowed[_head(content)] = count

    def duplicates(self) -> tuple[int, int]:
        """Return (same reference, same content): accepts beyond what is allowed."""
        beyond = self.totals["duplicates_by_content"]
        for digest, allowed in self._allowed.items():
            accepts = self._contents.get(digest) & _MASK_32
            beyond += max(0, accepts - allowed) - max(0, accepts - 1)
        return self.totals["duplicates_by_reference"], beyond

    def records(self, client_ref: str | None = None, to: str | None = None) -> list[Record]:
        """Return the records in the ring for a reference, a number, both, or all, oldest first."""
        if client_ref is None and to is None:
            return list(self._ring)
        self._index()
        if client_ref is not None:
            found = self._by_ref.records(client_ref)
            return [r for r in found if to is None or r.to == to]
        return self._by_to.records(to or "")

    def _index(self) -> None:
        """Take into the indexes what came since somebody last asked."""
        for record in reversed(list(islice(reversed(self._ring), self._unindexed))):
            self._by_ref.add(record.client_ref, record)
            self._by_to.add(record.to, record)
        self._unindexed = 0

    def latest(self) -> Iterator[Record]:
        """Yield the records in the ring, newest first."""
        return reversed(self._ring)

    def report_planned(self, count: int) -> None:
        self.totals["reports_planned"] += count

    def callbacks_moved(self, kind: CallbackKind, state: PendingState, count: int) -> None:
        """Count the items of a callback that are now `state`; sent counts the first try only."""
        self.totals[f"{_TOTALS_OF_KIND[kind]}_{state}"] += count


def _head(content: bytes) -> int:
    """Return the 64 bits of a content digest under which it is counted (never 0)."""
    head: int = _HEAD.unpack_from(content)[0]
    return head or 1
