"""A TCP proxy between a worker and the carrier that strikes at an exact byte of a request.

It runs in the test's process, so what it strikes at dies or stops while the carrier lives on. It
also notes when each byte left for the carrier: nothing may leave past a deadline.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

_RESET = struct.pack("ii", 1, 0)
_CHUNK = 65536
#: A carrier that keeps silent is given up after this long, once its client is dead.
_LAST_WORDS_S = 0.3
#: A small buffer: a long request does not fit, so a frozen writer has bytes left to write.
_BUFFER = 16_384


class Proxy:
    """Forwards connections to ``upstream``; use it in a ``with``."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._open: set[socket.socket] = set()
        self._point = ""
        self._blow: Callable[[], bool] = lambda: True
        self._request = b""
        #: When bytes of a client were forwarded (monotonic), and how many.
        self.forwarded: list[tuple[float, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def strike_at(self, point: str, blow: Callable[[], bool]) -> None:
        """Call ``blow`` at ``point`` of the next request; it tells whether the client is dead."""
        self._request, self._blow, self._point = b"", blow, point

    def bytes_after(self, moment: float) -> int:
        """How many bytes left for the carrier after ``moment`` (monotonic)."""
        return sum(size for at, size in self.forwarded if at > moment)

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        with suppress(OSError):  # wakes accept()
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in tuple(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a connection of the proxy did not end"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream, timeout=5) as carrier:
            carrier.settimeout(None)
            self._open |= {client, carrier}
            try:
                self._pump(client, carrier)
            except OSError:  # pass the reset on
                with suppress(OSError):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            finally:
                self._open -= {client, carrier}

    def _pump(self, client: socket.socket, carrier: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([client, carrier], [], [])
            if carrier in ready:
                answer = carrier.recv(_CHUNK)
                if not answer:
                    return
                client.sendall(answer)
            if client in ready:
                data = client.recv(1 if self._point == "first byte" else _CHUNK)
                if not data or self._forward(data, carrier):
                    return

    def _forward(self, data: bytes, carrier: socket.socket) -> bool:
        """Pass ``data`` on, striking where that was asked for; whether the client is dead."""
        if self._point == "first byte":
            self._point = ""
            self._send(data, carrier)
            return self._blow()
        self._send(data, carrier)
        self._request += data
        if self._point == "last byte" and _is_complete(self._request):
            self._point = ""
            if self._blow():
                self._hear_out(carrier)
                return True
        return False

    def _send(self, data: bytes, carrier: socket.socket) -> None:
        carrier.sendall(data)
        self.forwarded.append((time.monotonic(), len(data)))

    def _hear_out(self, carrier: socket.socket) -> None:
        """Let the carrier do what it does with a request whose sender has died."""
        carrier.settimeout(_LAST_WORDS_S)
        with suppress(OSError):
            carrier.recv(_CHUNK)


def _is_complete(request: bytes) -> bool:
    """Whether ``request`` (HTTP with a length) has its last byte."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return False
    headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    return len(body) >= int(headers.get(b"content-length", b"0"))
