"""The seed page's rule about money, written down independently of the product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Recipient(NamedTuple):
    number: str
    #: Micros, or None for a number that is not valid.
    price: int | None


def expected(recipients: Sequence[Recipient], balance: int) -> tuple[list[str], list[str]]:
    """(numbers that are queued, error code of each of the others), in input order."""
    queued, errors, dry = [], [], False
    for number, price in dict.fromkeys(recipients):
        if dry:
            errors.append("skipped")
        elif price is None:
            errors.append("invalid_recipient")
        elif dry := price > balance:
            errors.append("insufficient_balance")
        else:
            balance -= price
            queued.append(number)
    return queued, errors
