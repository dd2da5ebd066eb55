"""Puts answers of the carrier plane on real sockets, with everything that goes wrong there."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator.accounts import Account, House
from simulator.engine import Callback
from simulator.engine.knobs import Lose
from simulator.plane import TOO_LARGE, WireAnswer, handle, refuse
from simulator.spoil import spoil

#: A silent connection is held no longer than this (real seconds), whatever the client does.
LONGEST_SILENCE_S = 120.0
_DRIBBLE_CHUNKS = 20
_LINGER_ZERO = struct.pack("ii", 1, 0)

log = logging.getLogger("simulator")

PostEarly = Callable[[Account, Callback], Awaitable[None]]


class CarrierPlane:
    """The aiohttp handler of every path outside the control plane."""

    def __init__(self, house: House, post_early: PostEarly) -> None:
        self._house = house
        self._post_early = post_early
        #: Connections that are closed unless another request comes in time.
        self._closings: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self._closings:
            self._keep_open(request.transport)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _plain(refuse(413, "too_large", TOO_LARGE))
        # aiohttp's headers find a name in any case, so they serve as lower-case ones.
        answer = handle(self._house, request.method, request.raw_path, request.headers, body)
        if log.isEnabledFor(logging.INFO):
            log.info("%s %s -> %s", request.method, request.path, describe(answer))
        if answer.account is None:
            return _plain(answer)
        for callback in answer.early:
            await self._post_early(answer.account, callback)
        return await self._answer(request, answer, answer.account)

    async def _answer(
        self, request: web.Request, answer: WireAnswer, account: Account
    ) -> web.StreamResponse:
        virtual = account.clock.is_virtual
        if answer.latency_us and not virtual:
            await asyncio.sleep(answer.latency_us / 1_000_000)
        lose = answer.fault.lose if answer.fault is not None else None
        if lose is not None and lose.how != "status":
            late = answer.fault is not None and answer.fault.kind == "latency"
            return await _lose(request, Lose("reset") if late and virtual else lose)
        if answer.body is not None and answer.body.how == "dribble":
            return await _dribble(request, answer, answer.body.seconds)
        if answer.close_after_us is not None:
            return await self._answer_and_close(request, answer, answer.close_after_us)
        return _plain(answer)

    async def _answer_and_close(
        self, request: web.Request, answer: WireAnswer, after_us: int
    ) -> web.StreamResponse:
        """Answer as if the connection stayed open, then close it if it stays idle."""
        response = _plain(answer)
        await response.prepare(request)
        await response.write_eof()
        if (transport := request.transport) is not None:
            loop = asyncio.get_running_loop()
            self._closings[transport] = loop.call_later(
                after_us / 1_000_000, self._close_idle, transport
            )
        return response

    def _keep_open(self, transport: asyncio.BaseTransport | None) -> None:
        if transport is not None and (closing := self._closings.pop(transport, None)) is not None:
            closing.cancel()

    def _close_idle(self, transport: asyncio.BaseTransport) -> None:
        del self._closings[transport]
        transport.close()


def _plain(answer: WireAnswer) -> web.Response:
    status, headers, body = spoil(answer)
    return web.Response(status=status, headers=headers, body=body)


async def _lose(request: web.Request, lose: Lose) -> web.StreamResponse:
    """Lose the answer on the connection: a reset, an orderly close, or nothing at all."""
    transport = request.transport
    if lose.how == "silence":
        # Cancelled as soon as the client closes the connection.
        await asyncio.sleep(LONGEST_SILENCE_S)
    if transport is not None:
        if lose.how == "reset":
            sock: socket.socket = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            transport.abort()
        else:
            transport.close()
    return web.Response(status=500)


async def _dribble(request: web.Request, answer: WireAnswer, seconds: float) -> web.StreamResponse:
    """Write the body in small pieces over `seconds` of real time."""
    status, headers, body = spoil(answer)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    size = max(1, -(-len(body) // _DRIBBLE_CHUNKS))
    for start in range(0, len(body), size):
        await response.write(body[start : start + size])
        await asyncio.sleep(seconds / _DRIBBLE_CHUNKS)
    await response.write_eof()
    return response


def describe(answer: WireAnswer) -> str:
    """Return an answer as a person wants to read it in a log."""
    said = f"{answer.status}"
    if answer.account is not None:
        said += f" [{answer.account.name}] {len(answer.content)} bytes"
    if answer.latency_us:
        said += f", {answer.latency_us / 1_000_000:g} s late"
    if answer.fault is not None:
        said += f", {answer.fault.kind} by {answer.fault.rule!r}"
    if answer.body is not None:
        said += f", body {answer.body.how}"
    return said
