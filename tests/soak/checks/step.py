"""One step of an example, as the checks see it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from bulksms.models import Message
from simulator.engine.messages import Record
from tests.soak.watch import Snapshot
from tests.soak.world import World


class Request(NamedTuple):
    """A request as it was claimed."""

    carrier: str
    at: dt.datetime
    messages: list[Message]


@dataclass
class Step:
    """One step: the world after it, all rows before and after, what the carriers decided in it."""

    world: World
    deed: str
    was: Snapshot
    now: Snapshot
    records: Sequence[tuple[str, Record]]
    moves: Counter[tuple[str, str, str]]

    def new_requests(self) -> list[Request]:
        """Every request that was claimed in this step, its messages as they are now."""
        return [
            Request(
                row.carrier, row.created_at,
                [self.now.messages[UUID(text)] for text in row.message_ids],
            )
            for id_, row in self.now.submissions.items()
            if id_ not in self.was.submissions
        ]  # fmt: skip


def reference(message_id: object, attempt: int) -> str:
    return str(message_id) if attempt == 1 else f"{message_id}-{attempt}"


def split(text: str) -> tuple[UUID, int]:
    return UUID(text[:36]), int(text[37:] or 1)
