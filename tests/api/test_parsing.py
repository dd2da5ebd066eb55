"""Reading a body from what different servers hand over."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import UnreadablePostError

from bulksms.api.errors import BodyTooLarge, InvalidBody, LengthRequired
from bulksms.api.parsing import read_body

BODY = b'{"a": 1}'


class Dribble(BytesIO):
    """A socket that gives a byte at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1)


def wsgi(body: bytes = BODY, stream: type[BytesIO] = BytesIO, **environ: Any) -> WSGIRequest:
    return WSGIRequest({"REQUEST_METHOD": "POST", "wsgi.input": stream(body), **environ})


def asgi(body: bytes = BODY, *headers: tuple[bytes, bytes]) -> ASGIRequest:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}
    return ASGIRequest(scope, BytesIO(body))


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}


@pytest.mark.parametrize(
    "request_",
    [
        wsgi(CONTENT_LENGTH="8"),
        wsgi(CONTENT_LENGTH="0000000000000000000000000000008"),
        wsgi(BODY + b"the next request", CONTENT_LENGTH="8"),
        wsgi(stream=Dribble, CONTENT_LENGTH="8"),
        wsgi(**CHUNKED, **{"wsgi.input_terminated": True}),
        asgi(BODY, (b"content-length", b"8")),
        asgi(BODY, (b"transfer-encoding", b"chunked")),
    ],
    ids=["wsgi", "zeros", "pipelined", "dribble", "wsgi chunked", "asgi", "asgi chunked"],
)
def test_the_whole_body_is_read(request_) -> None:
    assert read_body(request_, 8) == BODY
    assert request_.body == BODY  # and stays readable


@pytest.mark.parametrize(
    "request_",
    [
        wsgi(CONTENT_LENGTH="8"),
        wsgi(CONTENT_LENGTH="9" * 5_000),
        wsgi(**CHUNKED, **{"wsgi.input_terminated": True}),
        asgi(BODY, (b"content-length", b"8")),
        asgi(BODY, (b"transfer-encoding", b"chunked")),
        asgi(BODY, (b"content-length", b"3")),
    ],
)
def test_never_more_than_the_limit(request_) -> None:
    with pytest.raises(BodyTooLarge):
        read_body(request_, 7)


def test_no_byte_is_read_of_what_says_it_is_too_large() -> None:
    request = wsgi(CONTENT_LENGTH="8")

    with pytest.raises(BodyTooLarge):
        read_body(request, 7)

    assert request.environ["wsgi.input"].tell() == 0


@pytest.mark.parametrize("length", ["", "0", "-8", "x", "8.0"])
def test_without_a_length_there_is_no_body(length) -> None:
    """None that a WSGI application could tell from the next request."""
    assert read_body(wsgi(CONTENT_LENGTH=length), 8) == b""


def test_a_chunked_body_that_the_server_cannot_delimit() -> None:
    with pytest.raises(LengthRequired):
        read_body(wsgi(**CHUNKED), 8)


@pytest.mark.parametrize(
    "request_", [wsgi(CONTENT_LENGTH="9"), asgi(BODY, (b"content-length", b"9"))]
)
def test_a_body_that_ends_early(request_) -> None:
    with pytest.raises(InvalidBody, match="shorter than its Content-Length"):
        read_body(request_, 100)


def test_a_client_that_goes_away() -> None:
    class Gone(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("connection reset")

    with pytest.raises(InvalidBody, match="could not be read") as raised:
        read_body(wsgi(stream=Gone, CONTENT_LENGTH="8"), 8)

    assert isinstance(raised.value.__cause__, UnreadablePostError)


def test_what_a_middleware_read_before_us_is_under_the_limit_too() -> None:
    request = wsgi(CONTENT_LENGTH="8")
    assert request.body == BODY

    assert read_body(request, 8) == BODY
    with pytest.raises(BodyTooLarge):
        read_body(request, 7)
