"""Carrier ids: 63 drawn bits, written in the forms that real carriers are known for."""

from __future__ import annotations

from uuid import UUID

from simulator.engine.knobs import IdForm

_PADDED_DIGITS = 24
_TWO_63 = 1 << 63


def write_id(bits: int, form: IdForm) -> str:
    """Write `bits` (63) as a carrier id.

    hex, upper, decimal and padded write one number, so that a client may meet an id in one form
    in the answer and in another in the report. `big` is a decimal beyond 2^63.
    """
    match form:
        case "hex":
            return f"{bits:016x}"
        case "upper":
            return f"{bits:016X}"
        case "decimal":
            return str(bits)
        case "padded":
            return str(bits).zfill(_PADDED_DIGITS)
        case "big":
            return str(bits | _TWO_63)
        case "uuid":
            return str(UUID(int=(bits << 64) | bits))
