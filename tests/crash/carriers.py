"""The simulator's carrier as a house without a query has it."""

from __future__ import annotations

from typing import ClassVar

from bulksms.carriers.simulator import SimulatorCarrier


class WithoutQuery(SimulatorCarrier):
    has_query: ClassVar[bool] = False
