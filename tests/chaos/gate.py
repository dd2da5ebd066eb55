"""A TCP proxy that goes away: it refuses, or it takes connections and never says a word again."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress

_CHUNK = 65536
_LOOK_S = 0.2


class Gate:
    """Forwards 127.0.0.1:``port`` to ``upstream`` while it is open."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_silent = threading.Event()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._accept(self._listener)

    def refuse(self) -> None:
        """As a server that is stopped: connections are closed, new ones refused."""
        self._stop_listening()
        self._cut()

    def fall_silent(self) -> None:
        """As a machine that lost its power: connections stand and are dead for good."""
        self._is_silent.set()

    def open(self) -> None:
        """The server is back: new connections work."""
        if self._is_silent.is_set():
            self._is_silent.clear()
            return
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept(self._listener)

    def close(self) -> None:
        self._ended.set()
        self._stop_listening()
        self._cut()

    def _stop_listening(self) -> None:
        with suppress(OSError):  # also for the thread that waits in accept(): it holds the port
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _cut(self) -> None:
        for sock in tuple(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        listener.settimeout(_LOOK_S)

        def loop() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

        threading.Thread(target=loop, daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(None)
        with client, suppress(OSError):
            if self._is_silent.is_set():
                self._ended.wait()
                return
            with socket.create_connection(("127.0.0.1", self._upstream), timeout=5) as server:
                server.settimeout(None)
                self._open |= {client, server}
                self._pump(client, server)
        self._open.discard(client)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while True:
            ready, _, _ = select.select([client, server], [], [], _LOOK_S)
            if self._is_silent.is_set():
                self._ended.wait()
                return
            for sock in ready:
                data = sock.recv(_CHUNK)
                if not data:
                    return
                other[sock].sendall(data)
