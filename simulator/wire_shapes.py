"""The shapes that pass over the JSON wire by the thousand, as msgspec reads and writes them.

Only what nothing is wrong with fits them: `wire` deals with the rest.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.json import Decoder, Encoder

MOST_MESSAGES = 1_000
MOST_VALIDITY_S = 30 * 24 * 3600


class Message(Struct, gc=False):
    """One message of a request."""

    to: Annotated[str, Meta(min_length=1)]
    client_ref: str | None = None
    sender: str | None = field(default=None, name="from")
    text: str | None = None
    validity_s: Annotated[int, Meta(ge=0, le=MOST_VALIDITY_S)] | None = None


class Submit(Struct, gc=False):
    """The body of `POST /v1/messages`."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=MOST_MESSAGES)]
    sender: str | None = field(default=None, name="from")
    text: str | None = None


class AcceptedRow(Struct, gc=False, omit_defaults=True):
    """A row of the answer."""

    client_ref: str
    to: str
    status: str
    id: str
    parts: int
    price: str | float | None = None


class RefusedRow(Struct, gc=False):
    """A row of the answer."""

    client_ref: str
    to: str
    status: str
    code: str
    detail: str


class Report(Struct, gc=False):
    """A delivery report of a whole message under its own id."""

    report_id: str
    id: str
    client_ref: str
    to: str
    status: str
    code: str
    at: str


SUBMIT = Decoder(Submit)
ENCODER = Encoder()
