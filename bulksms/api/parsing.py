"""Bodies in: read under our own limit, decoded by msgspec.

Django's DATA_UPLOAD_MAX_MEMORY_SIZE (2.5 MB) is for forms; ten thousand texts are more than that.
Here the stream is read directly, under ``BULKSMS["MAX_BODY_BYTES"]``, whatever Content-Length says.

What is refused with 400 ``invalid_json``: no body, no JSON, NaN and Infinity, halves of surrogate
pairs, invalid UTF-8, integers of more digits than Python converts, nesting past Python's limit, and
JSON that is no object. A byte order mark is skipped (RFC 8259, 8.1). Of a key that is there
twice the last one counts, as in JavaScript, PHP and Python.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from bulksms import conf
from bulksms.api.errors import BodyTooLarge, InvalidBody, LengthRequired, UnsupportedMediaType
from bulksms.api.rendering import JSON

_CHUNK = 1024 * 1024


class JsonParser(BaseParser):
    """A JSON object. ``stream`` is Django's request itself (see ``base.ApiRequest``)."""

    media_type = JSON

    def parse(
        self, stream: Any, media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        request: HttpRequest = stream
        if request.content_type != JSON:
            raise UnsupportedMediaType
        return self.decode(read_body(request, conf.settings.MAX_BODY_BYTES))

    def decode(self, body: bytes) -> Any:
        """What is in ``body``. Raises InvalidBody."""
        return decode(body)


class OptionalJsonParser(JsonParser):
    """A JSON object; no body at all is an empty one, whatever Content-Type says."""

    def parse(
        self, stream: Any, media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if not read_body(stream, conf.settings.MAX_BODY_BYTES):
            return {}
        return super().parse(stream, media_type, parser_context)


class ArrayParser(JsonParser):
    """A JSON object, or an array."""

    def decode(self, body: bytes) -> Any:
        document = decode_any(body)
        if not isinstance(document, dict | list):
            raise InvalidBody("The body must be a JSON object or an array of objects.")
        return document


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises InvalidBody."""
    document = decode_any(body)
    if not isinstance(document, dict):
        raise InvalidBody("The body must be a JSON object.")
    return document


def decode_any(body: bytes) -> Any:
    """The JSON document in ``body``. Raises InvalidBody."""
    try:
        return msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    except RecursionError:
        raise InvalidBody("The body is not valid JSON: it is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidBody("The body is not valid JSON: it is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise InvalidBody(f"The body is not valid JSON: {error}.") from None


def read_body(request: HttpRequest, limit: int) -> bytes:
    """The body, at most ``limit`` bytes. Raises BodyTooLarge, LengthRequired, InvalidBody.

    It stays readable as ``request.body``: middleware that logs it afterwards must not turn an
    accepted request into an error.
    """
    if hasattr(request, "_body"):  # a middleware has read it before us
        body = request.body
    else:
        body = _read(request, limit)
        request._body = body
    if len(body) > limit:
        raise BodyTooLarge(_too_large(limit))
    return body


def _read(request: HttpRequest, limit: int) -> bytes:
    declared = _declared_length(request)
    if declared is not None and declared > limit:
        raise BodyTooLarge(_too_large(limit))
    stream = request if declared is not None else _stream_without_length(request)
    pieces: list[bytes] = []
    wanted = limit + 1
    try:
        while wanted and (piece := stream.read(min(wanted, _CHUNK))):
            pieces.append(piece)
            wanted -= len(piece)
    except OSError as error:  # the client went away, or the server stopped waiting for it
        raise InvalidBody("The body could not be read to its end.") from error
    body = b"".join(pieces)
    if declared is not None and len(body) < declared:
        raise InvalidBody("The body is shorter than its Content-Length.")
    return body


def _declared_length(request: HttpRequest) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text.lstrip("0")[:20] or 0)  # 20 digits are too many anyway


def _stream_without_length(request: HttpRequest) -> Any:
    """Where to read a body of unknown length.

    ASGI hands over the whole body. A WSGI server says with ``wsgi.input_terminated`` that reading
    ends where the body ends; with others a chunked body is not readable, and no body is nothing.
    """
    environ = getattr(request, "environ", None)
    if environ is None:
        return request
    if environ.get("wsgi.input_terminated"):
        return environ["wsgi.input"]
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise LengthRequired
    return request


def _too_large(limit: int) -> str:
    return f"The body is larger than {limit} bytes. Send several smaller requests."
