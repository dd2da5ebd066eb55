"""The simulator without a socket: thousands of messages a second inside one test.

    transport = InProcessTransport(seed=7, rules=[{"match": {"share": 3}, "report": "undelivered"}])
    status, headers, body = transport("POST", "http://carrier/v1/messages", headers, body, 10.0)
    transport.pump(deliver)   # deliver(headers, body) -> HTTP status

It is a callable of the shape `(method, url, headers, body, timeout_s) -> (status, headers, body)`.
What goes wrong is raised as a socket would:

* ConnectionRefusedError - no byte of the request was written (only while `transport.down`);
* ConnectionResetError - the request may have been read (answer lost, request lost, drop);
* TimeoutError - the same, where a socket would have waited in silence.

Nothing waits: a latency up to `timeout_s` is recorded in `transport.latencies_us`, a longer one
is a TimeoutError at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.accounts import Account, Endpoint, House
from simulator.clocks import Clock, HasNow, OutsideClock, VirtualClock
from simulator.engine import Callback, EngineSettings
from simulator.engine.knobs import Span
from simulator.engine.reporting import NOWHERE
from simulator.engine.rules import RuleSet
from simulator.plane import WireAnswer, handle
from simulator.schema import parse_rules
from simulator.spoil import spoil

#: `deliver(headers, body) -> HTTP status`; 2xx acknowledges.
Deliver = Callable[[dict[str, str], bytes], int]
_MOST_ROUNDS = 100_000


class InProcessTransport:
    """One account of the simulator as a callable transport.

    `clock` is a simulator clock or any object with `now() -> aware datetime`; without one the
    time is virtual and `transport.advance(seconds)` moves it. `deliver` is needed only for
    reports that come before the answer.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        seed: int = 0,
        rules: Sequence[object] | Mapping[str, Any] | RuleSet = (),
        clock: Clock | HasNow | None = None,
        key: str = "test-key",
        secret: str | None = None,
        report_delay_s: float | tuple[float, float] = (1, 3),
        deliver: Deliver | None = None,
    ) -> None:
        if account is None:
            account = Account(
                EngineSettings(seed=seed, report_delay=span_of(report_delay_s)),
                key=key,
                clock=_clock(clock),
                endpoint=Endpoint(secret=secret),
                rules=read_rules(rules),
            )
        self.account = account
        self.engine = account.engine
        self.clock = account.clock
        self.deliver = deliver
        self.down = False
        self.latencies_us: list[int] = []
        self.requests = 0
        self._house = House()
        self._house.add(account)

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request, or raise what a socket would raise."""
        if self.down:
            raise ConnectionRefusedError("the carrier is down: nothing was written")
        self.requests += 1
        lower = {name.lower(): value for name, value in headers.items()}
        timeout_us = round(timeout_s * 1_000_000)
        answer = handle(self._house, method, url, lower, body, client_timeout_us=timeout_us)
        self._post_early(answer)
        if answer.latency_us:
            self.latencies_us.append(answer.latency_us)
        _raise_fault(answer)
        return spoil(answer)

    def _post_early(self, answer: WireAnswer) -> None:
        """Post reports that a rule wants before the answer; without `deliver`, at the next pump."""
        for callback in answer.early:
            if self.deliver is None:
                self.account.postpone(callback)
            else:
                self._post(callback, self.deliver)

    def pump(self, deliver: Deliver | None = None) -> int:
        """Post every callback that is due now, repeats included; return how many were posted."""
        deliver = deliver or self.deliver
        posted = 0
        for _ in range(_MOST_ROUNDS):
            due = self.due_callbacks()
            if not due:
                return posted
            for callback in due:
                self._post(callback, deliver)
            posted += len(due)
        raise RuntimeError(f"callbacks were still due after {_MOST_ROUNDS} rounds")

    def advance(self, seconds: float, deliver: Deliver | None = None) -> int:
        """Move the virtual clock, stopping at every event to post it; return how many were posted.

        Raises TypeError where the clock is not the simulator's own.
        """
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("only a VirtualClock can be moved here: move your own clock and pump")
        target = self.clock.now_micros() + round(seconds * 1_000_000)
        posted = self.pump(deliver)
        while (due := self.next_due_at()) is not None and due <= target:
            self.clock.move_to(max(due, self.clock.now_micros()))
            posted += self.pump(deliver)
        self.clock.move_to(target)
        return posted

    def due_callbacks(self) -> list[Callback]:
        """Take the callbacks that are due; each must be given to `self.account.settle`."""
        return self.account.take_callbacks()

    def due_reports(self) -> list[tuple[dict[str, str], bytes]]:
        """Take what is due as (headers, body) and count it as acknowledged."""
        posts = []
        for callback in self.due_callbacks():
            posts.append(self.account.post_of(callback, {}))
            self.account.settle(callback, 200)
        return posts

    def next_due_at(self) -> int | None:
        """Return when the carrier next has something to do (UTC microseconds), or None."""
        return self.engine.next_due_at()

    def _post(self, callback: Callback, deliver: Deliver | None) -> None:
        if deliver is None:
            status = NOWHERE
        else:
            status = deliver(*self.account.post_of(callback, {}))
        self.account.settle(callback, status)


def _raise_fault(answer: WireAnswer) -> None:
    lose = answer.fault.lose if answer.fault is not None else None
    if lose is None or answer.fault is None:
        return
    if lose.how == "silence":
        raise TimeoutError(f"no answer ({answer.fault.kind})")
    if lose.how in ("reset", "close"):
        raise ConnectionResetError(f"the connection was lost ({answer.fault.kind})")


def span_of(delay_s: float | tuple[float, float]) -> Span:
    low, high = delay_s if isinstance(delay_s, tuple) else (delay_s, delay_s)
    return Span(round(low * 1_000_000), round(high * 1_000_000))


def _clock(clock: Clock | HasNow | None) -> Clock:
    if clock is None:
        return VirtualClock()
    return OutsideClock(clock) if isinstance(clock, HasNow) else clock


def read_rules(rules: Sequence[object] | Mapping[str, Any] | RuleSet) -> RuleSet:
    if isinstance(rules, RuleSet):
        return rules
    return parse_rules(dict(rules) if isinstance(rules, Mapping) else list(rules))
