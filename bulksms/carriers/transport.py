"""HTTP for carriers: aiohttp on one event-loop thread per process, called from plain threads.

A transport is a callable; tests and the simulator pass their own. It makes exactly one request:
no redirects (aiohttp would post again on 307), no retries, finite time-outs.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import aiohttp

T = TypeVar("T")

#: An answer longer than this is not read to its end: it is no answer of this protocol.
MAX_ANSWER_BYTES = 8 * 1024 * 1024


class Transport(Protocol):
    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request; returns status, headers (lower-case names) and body.

        Raises ``ConnectionRefusedError`` only if no byte of the request was written, any other
        ``OSError`` (``TimeoutError`` included) if the other side may have read it.
        """


class _LoopThread:
    """An event loop in a daemon thread, one per process: a forked child makes its own."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.sessions: dict[float, aiohttp.ClientSession] = {}
        threading.Thread(target=self.loop.run_forever, name="bulksms-http", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def session(self, keepalive_s: float) -> aiohttp.ClientSession:
        if keepalive_s not in self.sessions:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_refuse_when_late)
            trace.on_connection_reuseconn.append(_refuse_when_late)
            self.sessions[keepalive_s] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self.sessions[keepalive_s]


class _TooLate(Exception):
    """The deadline passed before the first byte."""


async def _refuse_when_late(_session: Any, context: Any, _params: Any) -> None:
    """The last moment before the first byte: a process that was frozen must not write any more."""
    if time.monotonic() > context.trace_request_ctx:
        raise _TooLate


_thread: _LoopThread | None = None
_lock = threading.Lock()


def _loop_thread() -> _LoopThread:
    global _thread
    with _lock:
        if _thread is None or _thread.pid != os.getpid():
            _thread = _LoopThread()
        return _thread


class AiohttpTransport:
    """The real transport."""

    def __init__(self, *, connect_timeout_s: float, keepalive_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        #: Shorter than the carrier's own: a socket it has closed meanwhile would make an unknown.
        self._keepalive_s = keepalive_s

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        return _loop_thread().run(self._request(method, url, headers, body, timeout_s))

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        session = await _loop_thread().session(self._keepalive_s)
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=self._connect_timeout_s)
        try:
            async with session.request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False,
                trace_request_ctx=time.monotonic() + timeout_s,
            ) as response:  # fmt: skip
                answer = await _read(response)
                return response.status, {k.lower(): v for k, v in response.headers.items()}, answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ConnectionRefusedError(type(error).__name__) from error
        except (_TooLate, aiohttp.InvalidURL) as error:
            raise ConnectionRefusedError(type(error).__name__) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise ConnectionResetError(type(error).__name__) from error

    def close(self) -> None:
        """Close this process's sessions (worker shutdown)."""
        thread = _loop_thread()

        async def close_all() -> None:
            while thread.sessions:
                _, session = thread.sessions.popitem()
                await session.close()

        thread.run(close_all())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(65536):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise ConnectionResetError("the answer is too long")
    return b"".join(chunks)
