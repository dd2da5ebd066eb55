"""A server made of bare sockets: it reads a request and then does exactly what it is told."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

#: What a connection does after it read a request: (socket, the request's body).
Act = Callable[[socket.socket, bytes], None]


class RawHouse:
    """Acts on request 1, 2, 3...; the last act is repeated. ``requests`` are (first line, body)."""

    def __init__(self, *acts: Act, read: bool = True, receive_buffer: int | None = None) -> None:
        self.acts = acts
        self.requests: list[tuple[str, bytes]] = []
        self.connections = 0
        self.received = 0
        self._read = read
        self._lock = threading.Lock()
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> RawHouse:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            hang_up(sock)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            while self._one(sock):
                pass
        except OSError:
            pass
        hang_up(sock)

    def _one(self, sock: socket.socket) -> bool:
        body = b""
        if self._read:
            request = read_request(sock)
            if request is None:
                return False
            with self._lock:
                self.requests.append(request)
            body = request[1]
        with self._lock:
            act = self.acts[min(max(len(self.requests), 1), len(self.acts)) - 1]
        act(sock, body)
        return self._read and sock.fileno() != -1

    def count(self, sock: socket.socket) -> None:
        """Read to the end and count the bytes (an act)."""
        try:
            while chunk := sock.recv(65536):
                self.received += len(chunk)
        except OSError:
            pass
        hang_up(sock)


def read_request(sock: socket.socket) -> tuple[str, bytes] | None:
    """The next request; None where the connection ends. Half a request is returned as it is."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return (data.decode("latin-1"), b"") if data else None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        chunk = sock.recv(65536)
        if not chunk:
            break
        body += chunk
    return lines[0], body


def hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


# Acts


def reset(sock: socket.socket, _body: bytes) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def close(sock: socket.socket, _body: bytes) -> None:
    hang_up(sock)


def silence(sock: socket.socket, _body: bytes) -> None:
    """Until the other side has enough."""
    while sock.recv(65536):
        pass


def http(
    status: int, body: bytes, *headers: str, length: int | None = None, line: str = "OK"
) -> bytes:
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status} {line}", f"Content-Length: {size}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def say(content: bytes, *, then: Act | None = None) -> Act:
    def act(sock: socket.socket, body: bytes) -> None:
        sock.sendall(content)
        if then is not None:
            then(sock, body)

    return act


def answer_with(accept: Callable[[bytes], tuple[int, Any]], *after: bytes) -> Act:
    """Say yes, and then perhaps something more on the same connection."""

    def act(sock: socket.socket, body: bytes) -> None:
        status, document = accept(body)
        sock.sendall(http(status, json.dumps(document).encode()))
        for more in after:
            time.sleep(0.05)
            sock.sendall(more)

    return act


def pour(sock: socket.socket, _body: bytes) -> None:
    """A body without an end."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
