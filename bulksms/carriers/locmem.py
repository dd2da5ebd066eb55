"""A carrier that only remembers, for a host project's tests: as Django's locmem mail backend."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bulksms.carriers.base import Carrier, OutboundSms, Prepared, SubmitResult

#: Every message that any locmem carrier accepted, in order.
outbox: list[OutboundSms] = []


class LocmemCarrier(Carrier):
    """Accepts everything into :data:`outbox`; sends no reports, so ``sent`` is final for it."""

    max_batch: ClassVar[int] = 1000
    supports_reports: ClassVar[bool] = False
    is_simulated: ClassVar[bool] = True

    def prepare(self, batch: Sequence[OutboundSms]) -> Prepared:
        return Prepared(tuple(batch), tuple(sms.reference for sms in batch))

    def submit(self, prepared: Prepared, deadline: float) -> Mapping[str, SubmitResult]:
        if time.monotonic() > deadline:
            late = SubmitResult("refused", code="too_late_to_ask", temporary=True)
            return dict.fromkeys(prepared.references, late)
        accepted: dict[str, Any] = {}
        for sms in prepared.request:
            outbox.append(sms)
            accepted[sms.reference] = SubmitResult("accepted", carrier_ref=f"loc-{sms.reference}")
        return accepted
