"""Money as integer micros: 1.00 of a currency is 1_000_000. Nothing is ever rounded.

Decimals are for the edges, where people write and read; floats are refused everywhere.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

MICROS = 1_000_000
DECIMALS = 6
MAX_MICROS = 2**63 - 1  # what a database's big integer holds

_WRITTEN = re.compile(r"[+-]?[0-9]{1,13}(?:\.[0-9]{1,20})?")
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])


class MoneyError(ValueError):
    """The message is one English sentence that says why this is no amount of money."""


def parse(value: Decimal | str) -> int:
    """Micros of an amount: ``parse("0.805") == 805_000``. A sign is allowed.

    Text is plain digits with an optional point: no exponent, no grouping, white space only at the
    ends. Raises MoneyError for anything else, for more than six decimals (zeros at the end do not
    count), for NaN and infinity, for more than a big integer holds, and for other types: a float
    is not exact, and an int could be micros already.
    """
    if isinstance(value, str):
        value = _read(value)
    if not isinstance(value, Decimal):
        raise MoneyError(f"An amount is text or a Decimal, not {type(value).__name__}.")
    if not value.is_finite():
        raise MoneyError("An amount is a finite number.")
    if value and value.adjusted() > 12:  # before any arithmetic: 1E+999999 is a legal Decimal
        raise MoneyError("The amount is too large.")
    try:
        micros = int(_EXACT.scaleb(_EXACT.quantize(value, Decimal(1).scaleb(-DECIMALS)), DECIMALS))
    except (Inexact, InvalidOperation):
        raise MoneyError("An amount has at most six decimals.") from None
    if abs(micros) > MAX_MICROS:
        raise MoneyError("The amount is too large.")
    return micros


def _read(text: str) -> Decimal:
    written = text.strip() if len(text) < 100 else ""
    if not _WRITTEN.fullmatch(written):
        raise MoneyError('An amount is written as plain digits, like "1250.00" or "0.805".')
    return Decimal(written)


def amount(micros: int) -> str:
    """Plain decimal, at least two decimals and all significant ones: "1.00", "0.805", "-3.20"."""
    return _plain(micros, 2)


def sentence(micros: int, currency: str) -> str:
    """For sentences: "KES 0.805". The same whatever the language and number settings are."""
    return f"{currency} {amount(micros)}"


def json_number(micros: int) -> str:
    """The exact text of a JSON number, at least one decimal and no zeros after: "0.6", "3.0"."""
    return _plain(micros, 1)


def _plain(micros: int, least_decimals: int) -> str:
    whole, part = divmod(abs(micros), MICROS)
    decimals = f"{part:06d}".rstrip("0").ljust(least_decimals, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{decimals}"
