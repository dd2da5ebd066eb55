"""What a planted bug is."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """``right`` stands once in ``file``; with ``wrong`` in its place, ``test`` must fail."""

    name: str
    file: str
    right: str
    wrong: str
    test: str
