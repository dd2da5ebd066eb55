"""HTTP for carriers: aiohttp on one event-loop thread per process, called from plain threads.

A transport is a callable; tests and the simulator pass their own. It makes exactly one request:
no redirects (aiohttp would post again on 307), no retries, finite time-outs.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import aiohttp
import msgspec

from bulksms.carriers.base import Carrier, SubmitResult

T = TypeVar("T")

#: An answer longer than this is not read to its end: it is no answer of this protocol.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
#: No carrier is left alone for longer because of its Retry-After.
MAX_RETRY_AFTER_S = 3600.0


class Transport(Protocol):
    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request; returns status, headers (lower-case names) and body.

        Raises ``ConnectionRefusedError`` only if no byte of the request was written, any other
        ``OSError`` (``TimeoutError`` included) if the other side may have read it.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """What a carrier answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def retry_after_s(self) -> float | None:
        """Retry-After in seconds; None where it is missing, a date or nonsense."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def ask_once(
    transport: Transport,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    deadline: float,
) -> Answer | SubmitResult:
    """One request before ``deadline`` (monotonic); a SubmitResult speaks for all of it."""
    timeout_s = deadline - time.monotonic()
    if timeout_s <= 0:
        return SubmitResult("refused", code="too_late_to_ask", temporary=True)
    try:
        status, given, answer = transport(method, url, headers, body, timeout_s)
    except ConnectionRefusedError as error:  # no byte of the request was written
        return SubmitResult(
            "refused", code="no_connection", detail=str(error)[:200], temporary=True
        )
    except OSError as error:  # includes time-outs: the carrier may have it
        return SubmitResult("unknown", code="no_answer", detail=type(error).__name__)
    return Answer(status, {name.lower(): value for name, value in given.items()}, answer)


class OverHttp(Carrier):
    """A carrier that is asked over HTTP; options ``connect_timeout_s`` and ``keepalive_s``."""

    def __init__(
        self, name: str, options: Mapping[str, Any], *, transport: Transport | None = None
    ) -> None:
        super().__init__(name, options)
        self._transport = transport or AiohttpTransport(
            connect_timeout_s=float(options.get("connect_timeout_s", 5.0)),
            keepalive_s=float(options.get("keepalive_s", 2.0)),
        )

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> Answer | SubmitResult:
        """One request; see ask_once."""
        return ask_once(self._transport, method, url, headers, body, deadline)

    def close(self) -> None:
        if isinstance(self._transport, AiohttpTransport):
            self._transport.close()


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in ``body``; None for anything else."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


# The real transport


@dataclass(slots=True)
class _Ask:
    """One request: its deadline, and its connection from the last moment before the first byte."""

    deadline: float
    connection: asyncio.BaseTransport | None = None

    def begin(self, connection: asyncio.BaseTransport | None) -> None:
        """Raises _TooLate: a process that was frozen must not write any more."""
        if time.monotonic() > self.deadline:
            raise _TooLate
        self.connection = connection
        self._linger(_DISCARD)
        self._bound_the_kernel()

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """``body`` in pieces, each only in time and only once the one before has left us.

        A process that is frozen half way and thawed after the deadline may still write the rest of
        one piece, never the last byte: the carrier cannot have the whole request. Raises _TooLate.
        """
        ends = [*range(PIECE_BYTES, len(body) - 1, PIECE_BYTES), len(body) - 1, len(body)]
        for start, end in pairwise([0, *ends]):
            while self._is_writing():
                await asyncio.sleep(FLUSH_POLL_S)
            if time.monotonic() > self.deadline:
                raise _TooLate
            yield body[start:end]

    def _is_writing(self) -> bool:
        connection = self.connection
        return isinstance(connection, asyncio.WriteTransport) and bool(
            connection.get_write_buffer_size()
        )

    def _bound_the_kernel(self) -> None:
        """Let the kernel too give up what it could not hand over by the deadline (Linux)."""
        sock = self.connection.get_extra_info("socket") if self.connection is not None else None
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if sock is not None and option is not None:
            left_ms = max(int((self.deadline - time.monotonic()) * 1000), 1)
            with suppress(OSError):  # already closed
                sock.setsockopt(socket.IPPROTO_TCP, option, left_ms)

    def end(self) -> None:
        """The answer is complete: close the connection as politely as anybody."""
        self._linger(_KEEP)

    def give_up(self) -> None:
        """Take back what is still in our buffers: nothing more is written after this."""
        if self.connection is not None:
            self._linger(_DISCARD)
            if isinstance(self.connection, asyncio.WriteTransport):
                self.connection.abort()

    def _linger(self, value: bytes) -> None:
        sock = self.connection.get_extra_info("socket") if self.connection is not None else None
        if sock is not None:
            with suppress(OSError):  # already closed
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)


#: What is given to the socket at a time, and how often we look whether it has left us.
PIECE_BYTES = 16 * 1024
FLUSH_POLL_S = 0.002

#: How a socket closes: with a reset that discards what was not sent yet, or by sending it.
_DISCARD, _KEEP = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)

_ask: ContextVar[_Ask] = ContextVar("bulksms_ask")


class _TooLate(Exception):
    """The deadline passed before the first byte."""


class _Connector(aiohttp.TCPConnector):
    """Gives out connections that are clean, and only in time."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(*args, **kwargs)
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                break
            # Something came on it while it was idle: it would be read as the answer to our request.
            connection.close()
        try:
            _ask.get().begin(connection.transport)
        except _TooLate:
            connection.close()
            raise
        return connection


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
            self.sessions[keepalive_s] = aiohttp.ClientSession(
                connector=_Connector(limit=0, keepalive_timeout=keepalive_s),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self.sessions[keepalive_s]

    async def close_sessions(self) -> None:
        while self.sessions:
            _, session = self.sessions.popitem()
            await session.close()


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
        ask = _Ask(time.monotonic() + timeout_s)
        return _loop_thread().run(self._request(ask, method, url, headers, body))

    async def _request(
        self, ask: _Ask, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        _ask.set(ask)
        left = max(ask.deadline - time.monotonic(), 0.001)
        timeout = aiohttp.ClientTimeout(total=left, connect=self._connect_timeout_s)
        try:
            session = await _loop_thread().session(self._keepalive_s)
            async with session.request(
                method, url, timeout=timeout, allow_redirects=False,
                headers={**headers, "content-length": str(len(body))} if body else headers,
                data=ask.pieces(body) if body else None,
            ) as response:  # fmt: skip
                answer = await _read(response)
                ask.end()
                return response.status, {k.lower(): v for k, v in response.headers.items()}, answer
        except (OSError, aiohttp.ClientError, _TooLate, ValueError, RuntimeError) as error:
            ask.give_up()
            if ask.connection is None:
                raise ConnectionRefusedError(type(error).__name__) from error
            kind = TimeoutError if isinstance(error, TimeoutError) else ConnectionResetError
            raise kind(type(error).__name__) from error

    def close(self) -> None:
        """Close this process's sessions, of all carriers (worker shutdown)."""
        if _thread is not None and _thread.pid == os.getpid():
            _thread.run(_thread.close_sessions())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(65536):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise ConnectionResetError("the answer is too long")
    return b"".join(chunks)
