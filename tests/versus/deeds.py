"""What a worker process of either house does: report for work, then work until it is killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

from tests.versus import ours, theirs
from tests.versus.clock import shared

#: No worker lives longer, whatever happens to the contest.
LIFETIME_S = 150


def work(order: Mapping[str, Any]) -> None:
    """One worker's life."""
    signal.alarm(LIFETIME_S)
    with socket.create_connection(("127.0.0.1", order["port"])) as line:
        line.sendall(f"{os.getpid()}\n".encode())
        if order["house"] == theirs.NAME:
            theirs.work(order["url"])
        shared.start = dt.datetime.fromisoformat(order["clock_start"])
        shared.speed = order["clock_speed"]
        ours.work(ours.settings_for(order["url"], order["chunk"]))
