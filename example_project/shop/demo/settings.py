"""The example's settings with time-outs that end while somebody watches."""

from __future__ import annotations

from typing import Any

from shop.settings import *  # noqa: F403
from shop.settings import BULKSMS as _BULKSMS

_BY_DEFAULT: Any = _BULKSMS["CARRIERS"]
_MAIN = _BY_DEFAULT["main"]

BULKSMS = {
    **_BULKSMS,
    "CARRIERS": {
        "main": {
            **_MAIN,
            "BACKEND": "shop.demo.carrier.LoudCarrier",
            # Two requests at a time, and one more for what is urgent.
            "OPTIONS": {**_MAIN["OPTIONS"], "max_batch": 170, "window": 3},
        }
    },
    "CONNECT_TIMEOUT_S": 0.5,
    "SUBMIT_TIMEOUT_S": 1.9,
    "LEASE_S": 2.5,
    "TICK_S": 0.25,
    "TICK_LEASE_S": 1.0,
}
