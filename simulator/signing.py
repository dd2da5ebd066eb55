"""Signatures in the Standard Webhooks format, from the specification and the standard library.

A secret is `whsec_` and base64; the signature is HMAC-SHA256 of `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import binascii
import hmac

PREFIX = "whsec_"


def decode_secret(secret: str) -> bytes:
    """Return the key bytes of a secret. Raises ValueError for one that is not base64."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a signing secret is {PREFIX} and base64: {error}") from error
    if not key:
        raise ValueError("a signing secret may not be empty")
    return key


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers that sign `body`."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.digest(decode_secret(secret), signed, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
