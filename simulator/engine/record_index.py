"""Records by a key that is nearly always theirs alone: a reference, a number."""

from __future__ import annotations

from simulator.engine.messages import Record


class RecordIndex:
    """Maps a key to its records, oldest first. A key with one record needs no list for it."""

    def __init__(self) -> None:
        self._found: dict[str, Record | list[Record]] = {}

    def add(self, key: str, record: Record) -> None:
        known = self._found.setdefault(key, record)
        if known is record:
            return
        if isinstance(known, list):
            known.append(record)
        else:
            self._found[key] = [known, record]

    def records(self, key: str) -> list[Record]:
        """Return a new list of the records of `key`."""
        known = self._found.get(key)
        if known is None:
            return []
        return list(known) if isinstance(known, list) else [known]

    def remove(self, key: str, record: Record) -> None:
        """Forget `record`, which was added under `key`."""
        known = self._found[key]
        if known is record:
            del self._found[key]
            return
        assert isinstance(known, list)
        known.remove(record)
        if not known:
            del self._found[key]
