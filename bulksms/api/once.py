"""The header ``Idempotency-Key``: a request that is repeated is done once.

The key stands for the method, the address and the parsed body; the order of a body's fields and its
white space are no matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bulksms.exceptions import FieldError, InvalidRequest
from bulksms.services import idempotency
from bulksms.services.idempotency import Once

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255

_KEY = re.compile(f"[!-~]{{1,{MAX_LENGTH}}}")


def read(headers: Mapping[str, str], method: str, path: str, body: object) -> Once | None:
    """None = no key was given. Raises InvalidRequest for one that is none."""
    key = headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        detail = f"An {HEADER} is 1 to {MAX_LENGTH} visible ASCII characters, a UUID for example."
        raise InvalidRequest([FieldError(HEADER, "invalid_idempotency_key", detail)])
    return Once(key, idempotency.digest((method, path.rstrip("/"), body)))
