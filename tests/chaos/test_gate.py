"""The gate of the storms really does what it says; a storm through an open door proves nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.gate import Gate


def echo(listener: socket.socket) -> None:
    """Answer every client with what it says, one thread each."""

    def serve(client: socket.socket) -> None:
        with client:
            while data := client.recv(100):
                client.sendall(data)

    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(client,), daemon=True).start()


@pytest.fixture
def gate() -> Iterator[Gate]:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(listener,), daemon=True).start()
    gate = Gate(listener.getsockname()[1])
    yield gate
    gate.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def says(client: socket.socket) -> bytes:
    """What comes back within a moment; empty = the connection is closed."""
    client.settimeout(0.3)
    client.sendall(b"hello")
    return client.recv(100)


def connect(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=5)


def test_an_open_gate_passes_everything(gate: Gate) -> None:
    with connect(gate) as client:
        assert says(client) == b"hello"


def test_a_gate_that_refuses_closes_what_is_open_and_takes_nothing_new(gate: Gate) -> None:
    with connect(gate) as client:
        assert says(client) == b"hello"
        gate.refuse()

        client.settimeout(5)
        assert client.recv(100) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(gate)


def test_a_silent_gate_takes_connections_and_says_nothing(gate: Gate) -> None:
    gate.fall_silent()

    with connect(gate) as client, pytest.raises(TimeoutError):
        says(client)


@pytest.mark.parametrize("away", [Gate.refuse, Gate.fall_silent])
def test_a_gate_that_is_open_again_takes_new_connections(gate: Gate, away: object) -> None:
    away(gate)  # type: ignore[operator]
    gate.open()

    with connect(gate) as client:
        assert says(client) == b"hello"


def test_connections_that_fell_silent_stay_so(gate: Gate) -> None:
    with connect(gate) as client:
        assert says(client) == b"hello"
        gate.fall_silent()
        threading.Event().wait(0.5)  # the gate looks five times a second
        gate.open()

        with pytest.raises(TimeoutError):
            says(client)
