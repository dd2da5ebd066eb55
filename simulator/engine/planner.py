"""Plans what follows a decision: reports, reports per part, replies. All of it is drawn."""

from __future__ import annotations

from simulator.engine import draws
from simulator.engine.knobs import Outcome, PartsSpec, Reply, ReportSpec, Span
from simulator.engine.messages import Pending, Record

SECOND_US = 1_000_000
DEFAULT_VALIDITY_S = 48 * 3600
_POOLED = 3


class Planner:
    """Makes the pending callbacks of a record.

    `delay` is the account's own report delay; `grain_us` rounds due times up to whole grains of
    absolute time, so that reports come in batches as they do from a busy carrier.
    """

    def __init__(self, delay: Span, grain_us: int = 0) -> None:
        self.delay = delay
        self.grain_us = grain_us

    def reports(
        self, record: Record, outcome: Outcome, base: bytes, pool: tuple[int, ...]
    ) -> list[Pending]:
        """Plan the reports of `record`, decided at `record.at`.

        The first three draw from `pool`, any further one from `base`.
        """
        specs = outcome.reports
        if outcome.parts is not None:
            specs = _spread(outcome.parts, record.parts)
        elif len(specs) == 1 and specs[0].copies == 1:
            due = self._due(record, specs[0], pool[2])
            return [Pending(f"{pool[1]:016x}", record, specs[0], due)]
        pending: list[Pending] = []
        for index, spec in enumerate(specs):
            if index < _POOLED:
                named, drawn = pool[1 + 2 * index], pool[2 + 2 * index]
            else:
                named = draws.number(base, f"report:{index}")
                drawn = draws.number(base, f"delay:{index}")
            report_id, due = f"{named:016x}", self._due(record, spec, drawn)
            pending.append(Pending(report_id, record, spec, due))
            for copy in range(1, spec.copies):
                due += spec.gap_us
                pending.append(Pending(report_id, record, spec, due, copy + 1))
        return pending

    def reply(self, record: Record, reply: Reply, base: bytes) -> Pending:
        """Plan an inbound message from the handset of `record`."""
        delay = draws.between(base, "reply", *reply.delay)
        return Pending(
            f"{draws.number(base, 'inbound'):016x}",
            record,
            ReportSpec(),
            self._round(record.at + delay),
            inbound_text=reply.text,
            inbound_sender=reply.sender,
        )

    def _due(self, record: Record, spec: ReportSpec, drawn: int) -> int:
        if spec.before_answer:
            return record.at
        if spec.at_validity_end:
            validity_s = DEFAULT_VALIDITY_S if record.validity_s is None else record.validity_s
            return self._round(record.at + validity_s * SECOND_US)
        low, high = self.delay if spec.delay is None else spec.delay
        return self._round(record.at + low + drawn % (high - low + 1))

    def _round(self, at: int) -> int:
        grain = self.grain_us
        return -(-at // grain) * grain if grain else at


def _spread(parts: PartsSpec, count: int) -> tuple[ReportSpec, ...]:
    """Give every part its report; the last state serves all further parts."""
    states = parts.states
    return tuple(
        ReportSpec(state=states[min(index, len(states) - 1)], delay=parts.delay, part=index + 1)
        for index in range(count)
    )
