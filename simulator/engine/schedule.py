"""What is still to happen: callbacks to post, posts to repeat, requests to take up late."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count
from operator import attrgetter

from simulator.engine.messages import Callback, Pending, Shape, Submission

SECOND_US = 1_000_000
#: Seconds before the 1st to 5th repeat of a callback that was not answered with 2xx.
RETRY_AFTER_S = (1, 3, 8, 20, 60)
_BEFORE_ALL_TIME = -(1 << 63)
_by_content = attrgetter("report_id")
_by_time = attrgetter("due", "report_id")


class TakeUp:
    """A request that was read but whose messages are decided only at `due`."""

    def __init__(self, due: int, messages: Sequence[Submission], shape: Shape) -> None:
        self.due = due
        self.messages = messages
        self.shape: Shape = shape


class Schedule:
    """Ordered by time, then by content: the order of arrival decides nothing.

    What is planned lies in a heap of times and a list for each of them, which is put in order when
    its time comes; what is ready, up to the latest such time, is in order.
    """

    def __init__(self, report_batch: int) -> None:
        self.report_batch = report_batch
        self._times: list[int] = []
        self._planned: dict[int, list[Pending]] = {}
        self._ready: deque[Pending] = deque()
        self._ready_until = _BEFORE_ALL_TIME
        self._retries: list[tuple[int, str, int, Callback]] = []
        self._take_ups: list[tuple[int, int, TakeUp]] = []
        self._sequence = count()

    def add(self, pending: Pending) -> None:
        due = pending.due
        if due <= self._ready_until:
            insort(self._ready, pending, key=_by_time)
        elif (planned := self._planned.get(due)) is not None:
            planned.append(pending)
        else:
            self._planned[due] = [pending]
            heapq.heappush(self._times, due)

    def add_take_up(self, take_up: TakeUp) -> None:
        heapq.heappush(self._take_ups, (take_up.due, next(self._sequence), take_up))

    def repeat(self, callback: Callback, now: int) -> bool:
        """Plan the next try of a failed callback; False where it was the last one."""
        if callback.tries > len(RETRY_AFTER_S):
            return False
        callback.due = now + RETRY_AFTER_S[callback.tries - 1] * SECOND_US
        entry = (callback.due, callback.id, next(self._sequence), callback)
        heapq.heappush(self._retries, entry)
        return True

    def due_take_ups(self, now: int) -> Iterator[TakeUp]:
        """Yield, and forget, the requests to take up until `now`."""
        while self._take_ups and self._take_ups[0][0] <= now:
            yield heapq.heappop(self._take_ups)[2]

    def due_callbacks(self, now: int, limit: int) -> list[Callback]:
        """Take at most `limit` callbacks that are due: repeats first, then new ones in batches."""
        due: list[Callback] = []
        while self._retries and self._retries[0][0] <= now and len(due) < limit:
            due.append(heapq.heappop(self._retries)[3])
        self._make_ready(now)
        while self._ready and self._ready[0].due <= now and len(due) < limit:
            due.append(self.callback(self._next_batch(now)))
        return due

    def _make_ready(self, now: int) -> None:
        while self._times and self._times[0] <= now:
            self._ready_until = heapq.heappop(self._times)
            self._ready.extend(sorted(self._planned.pop(self._ready_until), key=_by_content))

    def _next_batch(self, now: int) -> list[Pending]:
        """Take the next items that may travel in one body."""
        ready = self._ready
        batch = [first] = [ready.popleft()]
        is_inbound, shape = _family(first)
        most = self.report_batch if shape == "json" else 1
        while len(batch) < most and ready:
            item = ready[0]
            if item.due > now or item.record.shape != shape:
                break
            if (item.inbound_text is not None) is not is_inbound:
                break
            batch.append(ready.popleft())
        return batch

    def callback(self, items: Sequence[Pending]) -> Callback:
        """Make the callback of one body. Its id is drawn from the items, so runs compare."""
        ids = ",".join([f"{item.report_id}.{item.copy}" for item in items])
        digest = blake2b(ids.encode(), digest_size=12).hexdigest()
        is_inbound, shape = _family(items[0])
        return Callback(
            f"msg_{digest}",
            "inbound" if is_inbound else "report",
            shape,
            tuple(items),
            due=items[0].due,
        )

    def next_due(self) -> int | None:
        """Return when the next thing is due, or None."""
        dues = [heap[0][0] for heap in (self._retries, self._take_ups) if heap]
        dues += self._times[:1]
        if self._ready:
            dues.append(self._ready[0].due)
        return min(dues, default=None)

    def waiting(self) -> int:
        """Return how many callbacks and take-ups are still to come."""
        planned = sum(map(len, self._planned.values()))
        return planned + len(self._ready) + len(self._retries) + len(self._take_ups)


def _family(pending: Pending) -> tuple[bool, Shape]:
    return pending.inbound_text is not None, pending.record.shape
