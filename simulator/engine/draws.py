"""Every draw of the engine: a hash of what was sent, never a generator with a state.

So the order of arrival, the split into requests and the number of clients change nothing,
and the same seed gives the same fate to the same message on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct
from typing import TypeVar

T = TypeVar("T")

_TWO_64 = 2.0**64
_PERCENT = 100 / 2**64
_EIGHT = Struct("<8Q")


def content_digest(seed: int, account: str, to: str, sender: str, text: str) -> bytes:
    """Return 16 bytes that stand for one message's content under one seed and account."""
    content = f"{seed}\0{account}\0{to}\0{len(sender)}\0{sender}\0{text}"
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def reference_digest(reference: str) -> int:
    """Return the 64 bits under which a client reference is counted (never 0)."""
    encoded = reference.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "little") or 1


def request_digest(contents: Iterable[bytes]) -> bytes:
    """Return 16 bytes for a request: its messages' contents, in sorted order."""
    return blake2b(b"".join(sorted(contents)), digest_size=16).digest()


def number(key: bytes, purpose: str) -> int:
    """Return 64 drawn bits for `purpose`; equal key and purpose, equal bits."""
    encoded = purpose.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(key + encoded, digest_size=8).digest(), "little")


def pool(key: bytes) -> tuple[int, ...]:
    """Return eight times 64 drawn bits in one hash, for what every message needs."""
    return _EIGHT.unpack(blake2b(key).digest())


def percent(salted: bytes) -> float:
    """Return a draw in [0, 100) for a key that already ends in its purpose."""
    return int.from_bytes(blake2b(salted, digest_size=8).digest(), "little") * _PERCENT


def unit(key: bytes, purpose: str) -> float:
    """Return a draw in [0, 1)."""
    return number(key, purpose) / _TWO_64


def between(key: bytes, purpose: str, low: int, high: int) -> int:
    """Return a drawn integer in [low, high]."""
    return low + number(key, purpose) % (high - low + 1) if high > low else low


def shuffled(key: bytes, purpose: str, items: Iterable[T]) -> list[T]:
    """Return `items` in a drawn order; two or more never come back in the order they had."""
    left = list(items)
    order = sorted(range(len(left)), key=lambda index: number(key, f"{purpose}:{index}"))
    if order == list(range(len(left))):
        order = order[1:] + order[:1]
    return [left[index] for index in order]
