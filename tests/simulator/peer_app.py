"""A small application in a process of its own, on the simulator's time: the peer of clock tests.

It sends messages, sends again what was refused for now (with backoff), asks about what it cannot
know, and gives up what no report came for. Usage: `peer_app.py CLOCK_FILE CARRIER_URL`; it prints
its port. `POST /tick` works and answers `{next_due_at}`; `GET /log` tells what happened when.
"""

from __future__ import annotations

import heapq
import json
import struct
import sys
import threading
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

CLOCK_FILE, CARRIER = sys.argv[1], sys.argv[2]
HEADERS = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
SECOND = 1_000_000
MESSAGES = 30

lock = threading.Lock()
timers: list[tuple[int, str, str, int]] = []
log: list[list[Any]] = []
done: dict[str, str] = {}


def now() -> int:
    (micros,) = struct.unpack("<q", Path(CLOCK_FILE).read_bytes()[:8])
    return int(micros)


def note(kind: str, client_ref: str, said: object) -> None:
    log.append([now() - start, kind, client_ref, said])


def plan(after_s: int, kind: str, client_ref: str, tries: int) -> None:
    heapq.heappush(timers, (now() + after_s * SECOND, kind, client_ref, tries))


def ask(method: str, path: str, body: object = None) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(CARRIER + path, content, HEADERS, method=method), timeout=5) as got:
            return got.status, json.loads(got.read())
    except HTTPError as error:
        return error.code, None


def submit(client_ref: str, tries: int) -> None:
    number = str(254711000000 + int(client_ref.split("-")[1]))
    sms = {"client_ref": client_ref, "to": number, "from": "SHOP", "text": "Hello"}
    try:
        status, answer = ask("POST", "/v1/messages", {"messages": [sms]})
    except (OSError, HTTPException):
        note("unknown", client_ref, tries)
        plan(300, "query", client_ref, tries)
        return
    row = answer["messages"][0] if status == 200 else {"status": "refused", "code": status}
    note("answer", client_ref, row.get("code") or row["status"])
    if row["status"] == "accepted":
        plan(48 * 3600, "expire", client_ref, tries)
    else:
        plan(60 * 2**tries, "submit", client_ref, tries + 1)


def query(client_ref: str, tries: int) -> None:
    _, answer = ask("GET", f"/v1/messages?client_ref={client_ref}")
    known = [row["status"] for row in answer["messages"]]
    note("query", client_ref, known)
    if known:
        plan(48 * 3600, "expire", client_ref, tries)
    elif tries < 8:
        plan(3600, "query", client_ref, tries + 1)
    else:
        plan(60, "submit", client_ref, 0)


def expire(client_ref: str, _tries: int) -> None:
    if client_ref not in done:
        done[client_ref] = "expired"
        note("expired", client_ref, None)


WORK = {"submit": submit, "query": query, "expire": expire}


def tick() -> int | None:
    """Do everything that is due; return when something is due next."""
    with lock:
        while timers and timers[0][0] <= now():
            _, kind, client_ref, tries = heapq.heappop(timers)
            WORK[kind](client_ref, tries)
        return timers[0][0] if timers else None


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tick":
            self._answer({"next_due_at": tick()})
            return
        note("report", body["client_ref"], body["status"])
        done.setdefault(body["client_ref"], body["status"])
        self._answer({})

    def do_GET(self) -> None:
        self._answer({"log": log, "done": done})

    def _answer(self, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    start = now()
    for index in range(MESSAGES):
        plan(index * 10, "submit", f"ref-{index}", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
