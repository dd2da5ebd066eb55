"""The simulator's carrier, saying aloud when it asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bulksms.carriers.base import Prepared, SubmitResult
from bulksms.carriers.simulator import SimulatorCarrier


class LoudCarrier(SimulatorCarrier):
    """Prints ``asks <count> <first reference>`` before each request, for the demo to read."""

    #: The real default is five minutes: longer than anybody watches a demo.
    query_settles_after_s: ClassVar[float] = 0.5

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        if prepared.references:
            print("asks", len(prepared.references), prepared.references[0], flush=True)
        return super().submit(prepared, deadline)
