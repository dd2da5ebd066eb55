"""The bundled simulator as a carrier: JSON over HTTP, pointed at ``python -m simulator``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bulksms.carriers.http import HttpCarrier
from bulksms.carriers.transport import Transport


class SimulatorCarrier(HttpCarrier):
    """An HttpCarrier whose options all have defaults."""

    is_simulated: ClassVar[bool] = True

    def __init__(
        self, name: str, options: Mapping[str, Any], *, transport: Transport | None = None
    ) -> None:
        defaults = {"url": "http://127.0.0.1:8090", "key": "test-key"}
        super().__init__(name, {**defaults, **options}, transport=transport)
