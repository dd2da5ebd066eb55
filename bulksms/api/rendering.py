"""JSON out: one call of msgspec for a whole answer, 10,000 rows or none.

Answers are finished ``HttpResponse`` objects, not DRF's unrendered ones: no middleware of the host
can touch a half-made answer. UUIDs become text and datetimes ISO 8601 (UTC ends with ``Z``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer

JSON = "application/json"

_encoder = msgspec.json.Encoder()


class JsonRenderer(BaseRenderer):
    """Any of our answers as JSON in UTF-8."""

    media_type = JSON
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self, data: object, accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:  # fmt: skip
        return _encoder.encode(data)


class JsonResponse(HttpResponse):
    """An answer with ``data`` as its body."""

    def __init__(
        self, data: object, status: int = 200, *, content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        body = JsonRenderer().render(data)
        super().__init__(body, status=status, content_type=content_type)
        for name, value in (headers or {}).items():
            self[name] = value


def moment(value: dt.datetime | None) -> dt.datetime | None:
    """``value`` in UTC, so that it is written with ``Z`` whatever zone the database answers in."""
    return None if value is None else value.astimezone(dt.UTC)
