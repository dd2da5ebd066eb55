"""A count per digest for millions of digests in a few bytes each.

A dict of five million references costs half a gigabyte. This table starts as a dict (small runs
stay small) and moves to two flat arrays of 64-bit words in two steps, so that memory stays level
between the steps. It never forgets and never estimates: when it is full it says so.
"""

from __future__ import annotations

from array import array

_SMALL = 65_536
_MOST_LOAD = 0.7
_FIRST_FLAT_BITS = 21
_EMPTY = array("Q", [0])


class TableFull(Exception):
    """More distinct digests than the table may hold (`--max-refs`)."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the simulator counts at most {limit} distinct references and texts; "
            "reset it or start it with a larger --max-refs"
        )
        self.limit = limit


class DigestTable:
    """Maps a 64-bit digest (never 0) to a 64-bit value; an absent digest has the value 0."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._small: dict[int, int] | None = {}
        self._most_small = min(_SMALL, limit)
        self._keys = array("Q")
        self._values = array("Q")
        self._mask = 0
        self._room = 0
        self._used = 0

    def __len__(self) -> int:
        return self._used if self._small is None else len(self._small)

    def room(self) -> int:
        """Return how many further digests fit."""
        return self.limit - len(self)

    def get(self, digest: int) -> int:
        small = self._small
        return self._values[self._slot(digest)] if small is None else small.get(digest, 0)

    def put(self, digest: int, value: int) -> None:
        """Store `value`. Raises TableFull for a new digest beyond the limit."""
        small = self._small
        if small is not None:
            if digest in small or len(small) < self._most_small:
                small[digest] = value
                return
            self._outgrow(small)
        slot = self._slot(digest)
        if not self._keys[slot]:
            slot = self._claim(digest, slot)
        self._values[slot] = value

    def _claim(self, digest: int, slot: int) -> int:
        """Take the empty slot where a new digest goes, or its slot in a larger table."""
        if self._used >= self.limit:
            raise TableFull(self.limit)
        if self._used >= self._room:
            self._grow()
            slot = self._slot(digest)
        self._keys[slot] = digest
        self._used += 1
        return slot

    def _slot(self, digest: int) -> int:
        """Return the slot that holds `digest`, or the empty one where it would go."""
        keys, mask = self._keys, self._mask
        slot = digest & mask
        while keys[slot] and keys[slot] != digest:
            slot = (slot + 1) & mask
        return slot

    def _outgrow(self, small: dict[int, int]) -> None:
        """Move from the dict to the flat arrays."""
        if len(small) >= self.limit:
            raise TableFull(self.limit)
        self._small = None
        self._allocate(_FIRST_FLAT_BITS)
        for digest, value in small.items():
            self.put(digest, value)

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._allocate(self._mask.bit_length() + 2)
        for digest, value in zip(keys, values, strict=True):
            if digest:
                self.put(digest, value)

    def _allocate(self, bits: int) -> None:
        size = 1 << bits
        self._keys = _EMPTY * size
        self._values = _EMPTY * size
        self._mask, self._used, self._room = size - 1, 0, int(size * _MOST_LOAD)
