"""What several simulator tests need: bodies, clients, a receiver of callbacks."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

KEY = "test-key"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
#: Ordinary numbers, outside the magic block.
FIRST_NUMBER = 254711000000


def message(
    index: int, *, text: str = "Hello", to: str | None = None, **more: Any
) -> dict[str, Any]:
    """One message of a request, distinct by `index`."""
    number = to or str(FIRST_NUMBER + index)
    return {"client_ref": f"ref-{index}", "to": f"+{number}", "from": "SHOP", "text": text, **more}


def body_of(messages: list[dict[str, Any]]) -> bytes:
    return json.dumps({"messages": messages}).encode()


class Reply:
    """An HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    def json(self) -> Any:
        return json.loads(self.content)


def call(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
) -> Reply:
    """One HTTP request, over a connection of its own; a 4xx or 5xx is an answer too."""
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    request = Request(url, content, dict(HEADERS if headers is None else headers), method=method)
    try:
        with urlopen(request, timeout=timeout) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


def send(url: str, messages: list[dict[str, Any]], **more: Any) -> Reply:
    return call("POST", f"{url}/v1/messages", {"messages": messages}, **more)


class Receiver:
    """A server that takes callbacks and answers with the statuses it is given (else 200)."""

    def __init__(self, *statuses: int, body: bytes = b"") -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self._statuses = list(statuses)
        self._news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                status = receiver._take(dict(self.headers.items()), self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if 300 <= status < 400:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the test output quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/reports"

    def _take(self, headers: dict[str, str], body: bytes) -> int:
        with self._news:
            self.posts.append(({k.lower(): v for k, v in headers.items()}, body))
            self._news.notify_all()
            return self._statuses.pop(0) if self._statuses else 200

    def wait_for(self, count: int, timeout: float = 10) -> list[Any]:
        """Return the first `count` bodies as soon as they are there; fails after `timeout`."""
        self.wait_for_posts(count, timeout)
        return self.bodies()

    def wait_for_posts(self, count: int, timeout: float = 10) -> None:
        with self._news:
            if not self._news.wait_for(lambda: len(self.posts) >= count, timeout):
                raise AssertionError(f"{len(self.posts)} callbacks came, not {count}")

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.posts]

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
