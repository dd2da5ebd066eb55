"""Posts callbacks: at their time on a real clock, when time is moved on a virtual one."""

from __future__ import annotations

import asyncio

import aiohttp

from simulator.accounts import Account, House
from simulator.engine import Callback
from simulator.engine.reporting import NOWHERE

POST_TIMEOUT_S = 10.0
#: Callbacks on the way at once per account (real clock; virtual time goes one by one).
WINDOW = 4
#: Callbacks of an account without an address are booked as lost in rounds: this many at once, and
#: on a real clock this long after the first of them was due. Nobody waits for them.
UNHEARD_AT_ONCE = 1_000
UNHEARD_PAUSE_S = 0.02
_NO_ANSWER = 0


class Poster:
    """Posts one callback and tells the engine what came back."""

    def __init__(self, house: House, timeout_s: float = POST_TIMEOUT_S) -> None:
        self._house = house
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, account: Account, callback: Callback) -> None:
        """Post `callback`; anything but an HTTP answer within the time-out counts as none."""
        url = account.url_of(callback)
        account.settle(
            callback, NOWHERE if url is None else await self._send(account, callback, url)
        )

    async def _send(self, account: Account, callback: Callback, url: str) -> int:
        headers, body = account.post_of(callback, self._house.foreign_ids(account))
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return _NO_ANSWER

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class Pump:
    """Posts one account's callbacks for as long as it runs.

    `time_lock` is held by whoever moves virtual time: meanwhile only `drain` posts.
    """

    def __init__(self, account: Account, poster: Poster, time_lock: asyncio.Lock) -> None:
        self._account = account
        self._poster = poster
        self._time_lock = time_lock
        self._woken = asyncio.Event()
        self._waits_for: int | None = None
        self._window = asyncio.Semaphore(1 if account.clock.is_virtual else WINDOW)
        self._flying: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look again if something is due before the time that we wait for anyway."""
        if self._woken.is_set():
            return
        due = self._account.engine.next_due_at()
        if due is None:
            return
        if self._waits_for is None or due < self._waits_for or due <= self._account.now():
            self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            if self._account.clock.is_virtual:
                async with self._time_lock:
                    await self.drain()
            else:
                await self._launch_due()
            await self._wait()
            if not (self._account.is_heard or self._account.clock.is_virtual):
                await asyncio.sleep(UNHEARD_PAUSE_S)

    async def drain(self) -> int:
        """Post everything that is due now and wait for every answer; return how many."""
        posted = 0
        while launched := await self._launch_due():
            posted += launched
            await asyncio.gather(*self._flying)
        return posted

    async def _launch_due(self) -> int:
        """Start posting what is due, never more than the window at once; return how many."""
        if not self._account.is_heard:
            return await self._settle_unheard()
        launched = 0
        while True:
            await self._window.acquire()
            due = self._account.take_callbacks(limit=1)
            if not due:
                self._window.release()
                return launched
            if self._account.url_of(due[0]) is None:
                self._window.release()
                self._account.settle(due[0], NOWHERE)
                launched += 1
                continue
            task = asyncio.create_task(self._post(due[0]))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
            launched += 1

    async def _settle_unheard(self) -> int:
        """Book what is due as lost, without a task for each; return how many."""
        settled = 0
        while due := self._account.take_callbacks(UNHEARD_AT_ONCE):
            for callback in due:
                self._account.settle(callback, NOWHERE)
            settled += len(due)
            if len(due) == UNHEARD_AT_ONCE:
                await asyncio.sleep(0)
        return settled

    async def _post(self, callback: Callback) -> None:
        try:
            await self._poster.post(self._account, callback)
        finally:
            self._window.release()
        self._woken.set()

    async def _wait(self) -> None:
        """Sleep until the next due time of a real clock, or until woken."""
        self._waits_for = due = self._account.engine.next_due_at()
        timeout_s: float | None = None
        if due is not None and not self._account.clock.is_virtual:
            timeout_s = max(0.0, (due - self._account.now()) / 1_000_000)
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._waits_for = None

    async def stop(self) -> None:
        """Give up what is on the way."""
        flying = tuple(self._flying)
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
